"""Assets computed together, on any number of threads: the values of each asset alone."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from fingru.errors import ConfigError
from fingru.features import FeatureSettings, build_features
from fingru.features import blocks as blocks_module
from fingru.features.blocks import blocks
from fingru.features.registry import BUILT_IN

COLUMNS = (*BUILT_IN, "ta:trend_adx")
SETTINGS = FeatureSettings(columns=COLUMNS, scales=(1, 4))

OWN = """
import threading
from fingru.features import feature

threads = set()

@feature(needs=("market",))
def one_series(bars):
    threads.add(threading.get_ident())
    assert len(threads) == 1
    assert bars.close.ndim == bars.volume.ndim == bars.market.portfolio.close.ndim == 1
    assert len(bars) == len(bars.market.average_variance)
    return bars.standardized_return * 1.0
"""


@pytest.fixture
def many_calendars(panel):
    """Nine assets: six alike, one listed late, one with holes, one too short; volume is late."""
    prices = panel(500, 9, seed=4, ohlcv=True)
    missing = np.zeros(prices.close.shape, dtype=bool)
    missing[:90, 1] = True
    missing[100::13, 4] = True
    missing[200:, 7] = True
    fields = ("close", "open", "high", "low", "volume")
    holed = {n: np.where(missing, np.nan, getattr(prices, n)) for n in fields}
    holed["volume"][:420, 2] = np.nan
    return replace(prices, **holed)


@pytest.fixture
def built(many_calendars, monkeypatch):
    """Features with so many cells in a block, on so many threads."""

    def build(cells, threads, settings=SETTINGS):
        monkeypatch.setattr(blocks_module, "BLOCK_CELLS", cells)
        return build_features(many_calendars, settings, threads)

    return build


def test_every_long_asset_is_in_one_block(many_calendars, monkeypatch):
    monkeypatch.setattr(blocks_module, "BLOCK_CELLS", 1100)
    found = blocks(many_calendars.has_bar, 300)
    assert sorted(a for block in found for a in block.assets) == [0, 1, 2, 3, 4, 5, 6, 8]
    assert [len(block.assets) for block in found] == [2, 2, 2, 2]
    assert [block.alike for block in found] == [False, True, True, True]
    for block in found:
        for asset, rows in zip(block.assets, block.rows, strict=True):
            assert rows.tolist() == np.flatnonzero(many_calendars.has_bar[:, asset]).tolist()


@pytest.mark.parametrize(("cells", "threads"), [(10**6, 1), (1100, 1), (1100, 2), (1, 5)])
def test_company_and_threads_change_nothing(built, cells, threads):
    alone, together = built(1, 1), built(cells, threads)
    assert alone.valid.any(axis=1).tolist() == [a != 7 for a in range(9)]
    assert together.values.tobytes() == alone.values.tobytes()
    assert together.valid.tobytes() == alone.valid.tobytes()


def test_an_asset_does_not_see_the_others_in_its_block(many_calendars):
    own = tuple(name for name in BUILT_IN if "market" not in BUILT_IN[name].needs)
    settings = FeatureSettings(columns=own)
    noise = np.random.default_rng(1).lognormal(0, 0.1, many_calendars.close.shape)
    noise[:, [1, 3, 4]] = 1.0
    fields = ("close", "open", "high", "low", "volume")
    changed = {n: getattr(many_calendars, n) * noise for n in fields}
    before = build_features(many_calendars, settings).values
    after = build_features(replace(many_calendars, **changed), settings).values
    assert before[[1, 3, 4]].tobytes() == after[[1, 3, 4]].tobytes()
    assert (before[[0, 2, 5]] != after[[0, 2, 5]]).any()


def test_own_features_get_one_series_at_a_time_on_one_thread(built, tmp_path):
    path = tmp_path / "my_features.py"
    path.write_text(OWN)
    features = built(1100, 4, FeatureSettings(columns=("log_return", f"{path}:one_series")))
    assert features.values[..., 1].tobytes() == features.values[..., 0].tobytes()


def test_an_error_on_a_thread_is_raised(built, monkeypatch):
    def broken(bars):
        raise ConfigError(f"no value on {threading.current_thread().name}")

    feature = replace(BUILT_IN["rsi"], function=broken)
    monkeypatch.setitem(BUILT_IN, "rsi", feature)
    with pytest.raises(ConfigError, match="ThreadPoolExecutor"):
        built(1, 3, FeatureSettings(columns=("rsi",)))
