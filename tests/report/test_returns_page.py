"""The functions of the room that library users call: summary, overview, tear sheet."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import fingru.report as report
from fingru.errors import DataError
from fingru.measures.returns import sharpe_ratio


@pytest.fixture
def returns():
    dates = pd.bdate_range("2015-01-05", periods=900)
    return pd.Series(np.random.default_rng(0).normal(4e-4, 0.01, 900), dates, name="Mine")


def test_summary_is_the_stored_numbers_of_every_strategy(result):
    table = report.summary(result)
    stored = result.metrics["strategies"]
    assert table.columns[0] == "risk_aware"
    assert set(table.columns) == set(stored)
    for field in ("sharpe", "max_drawdown", "start", "periods"):
        assert table.loc[field, "equal_weight"] == stored["equal_weight"][field]


def test_overview_is_the_figure_of_equity(result):
    figure = report.overview(result, strategies=["risk_aware"])
    assert {trace.meta for trace in figure.data} == {"risk_aware", "gross", "drawdown"}


def test_tear_sheet_shows_the_sharpe_ratio_of_the_returns(returns):
    page = report.tear_sheet(returns)
    sharpe = sharpe_ratio(returns.to_numpy(), 252.0)
    assert f'<dd class="value">{sharpe:.2f}</dd>'.replace("-", "\u2212") in page
    for text in ("<h1>Mine</h1>", "Monthly returns", "Deepest drawdowns", "By year"):
        assert text in page
    for text in ("Leak check", "Forecast scores", "Costs", "before costs"):
        assert (
            text
            not in page.partition('<script type="application/json"')[0].partition("<footer>")[0]
        )
    assert report.tear_sheet(returns) == page


def test_tear_sheet_compares_on_common_dates(returns):
    benchmark = 0.5 * returns.iloc[100:].rename("Index")
    page = report.tear_sheet(returns.iloc[:-50], benchmark, title="Mine against the index")
    assert "<h1>Mine against the index</h1>" in page
    assert f"{returns.index[100]:%Y-%m-%d} to {returns.index[-51]:%Y-%m-%d}" in page
    assert '<th scope="col">Index</th>' in page


def test_gaps_are_left_out(returns):
    gappy = returns.where(np.arange(len(returns)) % 7 > 0)
    assert report.tear_sheet(gappy) == report.tear_sheet(gappy.dropna())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.reset_index(drop=True), "Mine is not indexed by ascending dates"),
        (lambda r: r.iloc[::-1], "ascending dates"),
        (lambda r: pd.concat([r.iloc[:1], r]), "two returns of 2015-01-05"),
        (lambda r: r.replace(r.iloc[5], -1.5), r"return -1.5 on 2015-01-12.*not below -1"),
        (lambda r: r.replace(r.iloc[5], np.inf), "return inf on"),
        (lambda r: r.iloc[:1], "fewer than two returns"),
    ],
)
def test_what_is_no_series_of_returns_is_refused(returns, change, message):
    with pytest.raises(DataError, match=message):
        report.tear_sheet(change(returns))


def test_a_short_or_constant_series_gives_a_page(returns):
    for few in (returns.iloc[:2], 0.0 * returns.iloc[:30]):
        assert "n/a" in report.tear_sheet(few)


def test_lost_equity_gives_a_page(returns):
    ruined = returns.copy()
    ruined.iloc[500] = -1.0
    assert "n/a" in report.tear_sheet(ruined)


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'sumary'"):
        report.sumary  # noqa: B018 - the look-up is the test
