"""More memory than there is: one message, whoever asked for it."""

from __future__ import annotations

import pytest

import fingru.market as fingru_market


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 7.45 TiB for an array"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 8 TB"),
        RuntimeError("CUDA out of memory. Tried to allocate 80 GiB"),
    ],
)
def test_too_little_memory_is_one_message_and_no_bug(fingru, monkeypatch, error):
    def fail(*_arguments, **_options):
        raise error

    monkeypatch.setattr(fingru_market, "check_source", fail)
    answer = fingru("data", "check", "sample:simulated")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: not enough memory: take fewer assets")
    assert "Traceback" not in answer.err
