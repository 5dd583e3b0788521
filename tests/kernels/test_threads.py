"""Threads are set on purpose and given back."""

from __future__ import annotations

import threading

import pytest
import torch

from fingru.cores import available_cores
from fingru.kernels.threads import compute_threads, kernel_threads, kernels_on


def test_torch_runs_on_one_thread_inside_and_as_before_after_an_error():
    before, inside = torch.get_num_threads(), []

    def fail():
        with compute_threads(3) as threads:
            inside.append((threads, kernel_threads(), torch.get_num_threads()))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert inside == [(3, 3, 1)]
    assert torch.get_num_threads() == before
    assert kernel_threads() == available_cores()


def test_zero_threads_means_all_available_cores():
    with compute_threads(0) as threads:
        assert threads == available_cores() == kernel_threads()


def test_kernels_of_one_thread_leave_those_of_another_alone():
    seen = []
    with kernels_on(5):
        other = threading.Thread(target=lambda: seen.append(kernel_threads()))
        other.start()
        other.join(timeout=60)
        assert kernel_threads() == 5
    assert seen == [available_cores()]
