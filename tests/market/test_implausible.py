"""Spikes and dates to come are refused unless allowed, and real markets never are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from fingru.errors import DataError
from fingru.market import check_source, load_prices
from fingru.market.implausible import accepted, implausible
from fingru.market.prices import Prices

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def panel(changes=(), n=300, sd=0.01, field="close", seed=4):
    """Two assets; ``changes`` are (row, factor) of the second."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, sd, (n, 2)), axis=0))
    fields = {"close": close, "open": close * np.exp(rng.normal(0, sd / 2, close.shape))}
    for row, factor in changes:
        fields[field][row, 1] *= factor
    index = pd.bdate_range("2020-01-01", periods=n)
    return Prices(index, ("A", "B"), bars_per_year=252.0, source="mine", **fields)


@pytest.mark.parametrize("field", ["close", "open"])
@pytest.mark.parametrize("factor", [1000.0, 0.01, 1e25, 1e-25, 10.0, 0.1])
def test_a_bad_tick_is_refused_by_asset_session_value_and_setting(field, factor):
    prices = panel([(200, factor)], field=field)
    with pytest.raises(DataError) as caught:
        accepted(prices)
    value = getattr(prices, field)[200, 1]
    for part in (f"the {field} of B on 2020-10-07 is {value:g}", 'data.allow=["spikes"]'):
        assert part in str(caught.value)
    (found,) = implausible(prices, NOW)
    assert (found.kind, found.count, found.assets) == ("spikes", 1, ("B",))


@pytest.mark.parametrize(
    "changes",
    [
        [(200, 100.0), (201, 100.0)],
        [(200, 0.01), (201, 0.01), (202, 0.01)],
        [(299, 1e4)],
        [(0, 1e-4)],
        [(r, 1e5) for r in range(150, 300)],
        [(1, 100.0)],
    ],
    ids=[
        "two bars",
        "pence for three bars",
        "last bar",
        "first bar",
        "another unit",
        "second bar",
    ],
)
def test_spells_and_edges_are_refused_as_well(changes):
    with pytest.raises(DataError, match=r"of B on .* is .*data\.allow"):
        accepted(panel(changes))


def crash():
    """A stock that loses 85 % in a day, and a coin that dies within a week as Terra's did."""
    quiet = panel().close
    stock = quiet[:, 0].copy()
    stock[150:] *= 0.15
    coin = quiet[:, 1].copy()
    coin[250:260] *= np.array([0.9, 0.4, 0.2, 0.013, 6e-5, 7e-7, 4e-6, 3e-6, 2.5e-6, 2e-6])
    coin[260:] *= 2e-6
    index = pd.bdate_range("2020-01-01", periods=300)
    return Prices(index, ("S", "C"), np.stack([stock, coin], axis=1), 252.0, "crash")


def penny_stock():
    """A price that moves between the smallest ticks there are."""
    rng = np.random.default_rng(0)
    ticks = rng.choice([1e-4, 2e-4, 1e-3], size=(400, 1), p=[0.5, 0.3, 0.2])
    return Prices(pd.bdate_range("2020-01-01", periods=400), ("P",), ticks, 252.0, "penny")


def splits():
    """Unadjusted, 20 for one; doubtful, and found as such, but no spike."""
    late = [(r, 1 / 20) for r in range(100, 300)]
    opened = panel(late, field="open").open
    return replace(panel(late), open=opened)


@pytest.mark.parametrize("make", [panel, crash, penny_stock, splits])
def test_what_markets_do_is_not_refused(make):
    prices = make()
    assert implausible(prices, NOW) == []
    assert accepted(prices, (), NOW) is prices


@pytest.mark.parametrize("source", ["sample:us_stocks", "sample:indices", "sample:simulated"])
def test_the_samples_are_accepted(source):
    assert implausible(load_prices(source), NOW) == []


def test_an_allowed_spike_is_a_warning_that_stays(tmp_path):
    prices = panel([(200, 1000.0)])
    path = tmp_path / "x.csv"
    pd.DataFrame(prices.close, prices.index.rename("Date"), prices.assets).to_csv(path)
    with pytest.raises(DataError, match=r"989 times the prices beside it"):
        load_prices(str(path))
    assert check_source(str(path)).exit_code == 2
    assert check_source(str(path)).findings[0].kind == "spikes"
    loaded = load_prices(str(path), allow=["spikes"])
    assert [f.kind for f in loaded.warnings] == ["spikes"]
    accepted(loaded)  # what was allowed once need not be allowed again
    assert "spikes" not in {f.kind for f in load_prices(str(path), end="2020-09-30").warnings}
    with pytest.raises(DataError, match=r"'spike': choose from spikes, future_dates"):
        load_prices(str(path), allow=["spike"])


def test_a_year_typed_wrong_is_refused_even_beyond_the_chosen_end(tmp_path):
    """It would change the number of bars in a year, and so every figure per year."""
    rows = [f"{d.date()},{10 + k % 7}" for k, d in enumerate(panel().index)]
    rows[150] = rows[150].replace("2020", "2120")
    (tmp_path / "x.csv").write_text("\n".join(["Date,Close", *rows]))
    for end in (None, "2020-12-31"):
        with pytest.raises(DataError) as caught:
            load_prices(str(tmp_path / "x.csv"), end=end, now=NOW)
        for part in ("2120-07-29", "x at 13", 'data.allow=["future_dates"]', "2026-01-01"):
            assert part in str(caught.value)
    loaded = load_prices(str(tmp_path / "x.csv"), allow=["future_dates"], now=NOW)
    (told,) = [f for f in loaded.warnings if f.kind == "future_dates"]
    assert told.severity == "warning"


def test_tomorrow_is_no_future_but_the_day_after_is():
    index = pd.bdate_range("2025-12-01", "2026-01-02")
    close = 100.0 + np.arange(len(index))[:, None] % 3
    assert implausible(Prices(index, ("A",), close, 252.0, "east"), NOW) == []
    later = Prices(index + pd.Timedelta(days=3), ("A",), close, 252.0, "x")
    assert [f.kind for f in implausible(later, NOW)] == ["future_dates"]


def test_a_simulated_calendar_may_run_on():
    prices = load_prices("sample:simulated?assets=1&sessions=300&start=2100-01-01", now=NOW)
    assert str(prices.index[0].date()) == "2100-01-01"


def test_an_asset_that_never_moves_is_refused_in_a_panel_made_by_hand():
    flat = Prices(pd.bdate_range("2020-01-01", periods=9), ("A",), np.ones((9, 1)), 252.0, "flat")
    with pytest.raises(DataError, match="never changes for A"):
        accepted(flat)
