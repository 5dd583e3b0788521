"""Figures and tables of where the profit came from show the stored numbers."""

import numpy as np
import pandas as pd
import pytest

from fingru.report.attribution import (
    LABELS,
    asset_profit_table,
    heads_table,
    profit_by_head,
    profit_by_year,
    regimes_table,
    sides_table,
)
from fingru.report.theme import describe

AMOUNTS = {
    "market": 0.10, "variance_timing": 0.02, "mean_alpha": -0.03, "interaction": 0.01,
    "cost": 0.04, "net": 0.06,
}  # fmt: skip


def make_summary(heads=AMOUNTS):
    return {
        "heads": {"total": heads, "per_year": heads, "compounded": heads},
        "by_asset": [
            {"asset": "A", "gross": 0.02, "cost": 0.01, "net": 0.01},
            {"asset": "B", "gross": 0.08, "cost": 0.03, "net": 0.05},
            {"asset": None, "gross": 0.0, "cost": 0.0, "net": 0.0},
        ],
        "by_year": [{"year": 2020, **heads}, {"year": 2021, **heads}],
        "by_regime": [{"regime": "low", "bars": 9, **heads, "net_per_year": 0.5}],
        "by_side": {"long": 0.2, "short": -0.1, "interest": 0.0, "cost": 0.04, "net": 0.06},
        "regression": {"alpha_per_year": -0.01, "alpha_t": -1.2, "beta": 0.5, "beta_error": 0.1,
                       "r_squared": 0.8, "lags": 4, "n": 500},
        "notes": ["a note"],
    }  # fmt: skip


@pytest.fixture
def parts():
    dates = pd.bdate_range("2020-01-01", periods=4)
    return pd.DataFrame({"date": dates, **{k: np.full(4, v) for k, v in AMOUNTS.items()}})


def test_running_sums_end_at_the_sums_with_costs_downwards(parts):
    ends = {trace.meta: float(trace.y[-1]) for trace in profit_by_head(parts).data}
    expected = {k: (-4 if k == "cost" else 4) * v for k, v in AMOUNTS.items()}
    assert ends == pytest.approx(expected, abs=1e-6)


def test_bars_of_a_year_stack_to_the_net_mark():
    figure = profit_by_year(make_summary())
    bars = sum(float(t.y[0]) for t in figure.data if t.type == "bar")
    mark = next(t for t in figure.data if t.meta == "net")
    assert bars == pytest.approx(float(mark.y[0]), abs=1e-6)
    assert figure.layout.barmode == "relative"


def test_unknown_heads_are_said_and_not_drawn(parts):
    unknown = AMOUNTS | dict.fromkeys(list(AMOUNTS)[:4])
    for figure in (
        profit_by_head(parts.assign(market=np.nan)), profit_by_year(make_summary(unknown))
    ):  # fmt: skip
        assert "could not be replayed" in figure.layout.meta["empty"]
        assert describe(figure).alt
    table = heads_table(make_summary(unknown))
    assert table.cells()[0][1] == "n/a"
    assert table.reasons()


def test_heads_table_names_every_part_and_the_regression():
    table = heads_table(make_summary())
    assert [row[0] for row in table.cells()] == list(LABELS.values())
    assert table.frame["total"].tolist() == [0.10, 0.02, -0.03, 0.01, -0.04, 0.06]
    assert "beta 0.50" in table.notes[0]
    assert "equal-weight" in table.notes[0]
    assert table.notes[-1] == "a note"


def test_assets_are_ordered_by_profit_with_interest_last():
    assert [r[0] for r in asset_profit_table(make_summary()).cells()] == ["B", "A", "Interest"]


def test_regimes_and_sides_keep_the_stored_numbers():
    assert regimes_table(make_summary()).frame.loc[0, "net_per_year"] == 0.5
    assert sides_table(make_summary()).frame["sum"].tolist() == [0.2, -0.1, 0.0, -0.04, 0.06]
