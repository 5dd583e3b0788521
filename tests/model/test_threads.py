"""Threads are set on purpose and given back."""

from __future__ import annotations

import pytest
import torch

from fingru.model.threads import available_cores, torch_threads


def test_threads_are_set_inside_and_restored_after_an_error():
    before, inside = torch.get_num_threads(), []

    def fail():
        with torch_threads(before + 1) as threads:
            inside.append((threads, torch.get_num_threads()))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert inside == [(before + 1, before + 1)]
    assert torch.get_num_threads() == before


def test_zero_threads_means_all_available_cores():
    with torch_threads(0) as threads:
        assert threads == available_cores() == torch.get_num_threads()
