"""Tiles, threads and the choice of machine code."""

import llvmlite.binding
import numba
import pytest
import torch

from fingru.kernels.cpu import compiled, gru_scan_numba
from fingru.kernels.cpu.compiled import TileGroup, kernel, run_tiles, tile_groups
from fingru.kernels.recurrence import gru_scan


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("n_sequences", [1, 7, 8, 9, 15, 16, 17, 24, 25, 32, 168])
def test_tile_groups_cover_each_sequence_once(monkeypatch, n_sequences, wide):
    monkeypatch.setattr(llvmlite.binding, "get_host_cpu_features", lambda: {"avx512f": wide})
    starts = [
        (group.first + tile * group.width, group.width)
        for group in tile_groups(n_sequences)
        for tile in range(group.tiles)
    ]
    end = 0
    for first, width in starts:
        assert first == end
        assert first < n_sequences
        end += width
    assert n_sequences <= end < n_sequences + starts[-1][1]
    assert all(width == 8 for _, width in starts) or wide


def test_narrow_registers_give_the_same_states(monkeypatch):
    torch.manual_seed(0)
    inputs = (torch.randn(2, 21, 9, 72), torch.randn(2, 72, 24) / 5, torch.randn(2, 72))
    h0 = torch.randn(2, 21, 24)
    monkeypatch.setattr(llvmlite.binding, "get_host_cpu_features", dict)
    states = gru_scan_numba(*inputs, h0)
    torch.testing.assert_close(states, gru_scan(*inputs, h0), rtol=0, atol=1e-5)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_run_tiles_covers_each_tile_once(monkeypatch, threads):
    done = []
    monkeypatch.setattr(
        compiled,
        "kernel",
        lambda _direction, _width: lambda first, last: done.extend(range(first, last)),
    )
    run_tiles("forward", TileGroup(8, 0, 3), (), models=7, threads=threads)
    assert sorted(done) == list(range(21))


def test_error_in_a_thread_is_raised(monkeypatch):
    def fail(first, last):
        raise ValueError(f"{first} to {last}")

    monkeypatch.setattr(compiled, "kernel", lambda _direction, _width: fail)
    with pytest.raises(ValueError, match="to"):
        run_tiles("forward", TileGroup(8, 0, 3), (), models=7, threads=2)


def test_kernel_without_a_cache_directory_is_compiled_anyway(monkeypatch, caplog):
    plain = numba.njit

    def refuse(*args, cache=False, **settings):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return plain(*args, **settings)

    monkeypatch.setattr(numba, "njit", refuse)
    with caplog.at_level("INFO", logger=compiled.log.name):
        run = kernel.__wrapped__("forward", 8)
    assert callable(run)
    assert "no locator available" in caplog.text
