from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fingru.report import performance


def line(figure, meta):
    return next(trace for trace in figure.data if trace.meta == meta)


def block(result, name):
    return result.equity[result.equity["strategy"] == name].reset_index(drop=True)


def test_equity_lines_equal_the_stored_equity(result):
    figure = performance.equity_and_drawdown(result)
    for name in ("risk_aware", "buy_and_hold", "equal_weight", "ewma_vol_target"):
        stored = block(result, name)
        np.testing.assert_allclose(line(figure, name).y, stored["equity"], rtol=1e-6)
        assert list(line(figure, name).x) == list(stored["date"].dt.strftime("%Y-%m-%d"))


def test_equity_gross_line_compounds_gross_returns(result):
    figure = performance.equity_and_drawdown(result)
    gross = block(result, "risk_aware")["gross_return"]
    expected = np.exp(np.cumsum(np.log1p(gross.to_numpy())))
    np.testing.assert_allclose(line(figure, "gross").y, expected, rtol=1e-6)


def test_drawdown_equals_the_stored_drawdown_and_its_worst_point_is_written(result):
    figure = performance.equity_and_drawdown(result)
    stored = block(result, "risk_aware")["drawdown"]
    np.testing.assert_allclose(line(figure, "drawdown").y, stored, atol=1e-6)
    text = f"{100 * stored.min():.1f} %".replace("-", "\u2212")
    assert [note.text for note in figure.layout.annotations] == [text]


def test_equity_of_a_window_starts_from_the_value_just_before_it(result):
    stored = block(result, "risk_aware")
    start = stored["date"].iloc[300]
    figure = performance.equity_and_drawdown(result, start=start)
    drawn = line(figure, "risk_aware")
    assert len(drawn.y) == len(stored) - 300
    np.testing.assert_allclose(drawn.y[0], 1 + stored["net_return"].iloc[300], rtol=1e-6)


def test_equity_window_includes_both_ends(result):
    dates = block(result, "risk_aware")["date"]
    figure = performance.equity_and_drawdown(result, start=dates.iloc[10], end=dates.iloc[20])
    drawn = list(line(figure, "risk_aware").x)
    assert (drawn[0], drawn[-1], len(drawn)) == (
        str(dates.iloc[10].date()), str(dates.iloc[20].date()), 11
    )  # fmt: skip


def test_equity_in_money_is_drawn_as_growth_of_one(result):
    scaled = replace(result, equity=result.equity.assign(equity=1000 * result.equity["equity"]))
    drawn = line(performance.equity_and_drawdown(scaled), "risk_aware").y
    np.testing.assert_allclose(drawn, block(result, "risk_aware")["equity"], rtol=1e-6)


@pytest.mark.parametrize(("log", "kind"), [(True, "log"), (False, "linear"), (None, "linear")])
def test_equity_axis_is_what_was_asked_for(result, log, kind):
    assert performance.equity_and_drawdown(result, log=log).layout.yaxis.type == kind


def test_equity_axis_is_logarithmic_by_itself_over_a_wide_range(result):
    wide = result.equity.assign(equity=result.equity["equity"] ** 20)
    figure = performance.equity_and_drawdown(replace(result, equity=wide))
    assert figure.layout.yaxis.type == "log"


def test_ruin_is_a_gap_and_not_a_zero_on_a_logarithmic_axis(awkward_results):
    figure = performance.equity_and_drawdown(awkward_results["ruined"], log=True)
    drawn = line(figure, "risk_aware").y
    assert np.isnan(drawn[-1])
    assert np.nanmin(drawn) > 0


def test_long_line_keeps_its_extremes_and_says_that_it_is_thinned(result_factory):
    long = result_factory(n_sessions=6500, assets=("AAA",))
    figure = performance.equity_and_drawdown(long)
    stored = block(long, "risk_aware")
    drawn = line(figure, "risk_aware").y
    assert len(drawn) < len(stored)
    assert drawn.max() == np.float32(stored["equity"].max())
    assert drawn.min() == np.float32(stored["equity"].min())
    assert "thinned" in figure.layout.meta["caption"]


def test_rolling_point_equals_the_window_computed_by_hand(result):
    figure = performance.rolling_sharpe_volatility(result)
    net = block(result, "risk_aware")["net_return"].to_numpy()[-252:]
    sharpe, volatility = figure.data[0].y, figure.data[1].y
    np.testing.assert_allclose(sharpe[-1], net.mean() / net.std(ddof=1) * np.sqrt(252), rtol=1e-5)
    np.testing.assert_allclose(volatility[-1], net.std(ddof=1) * np.sqrt(252), rtol=1e-5)
    assert len(sharpe) == 780 - 252 + 1


def test_rolling_and_equity_do_not_see_later_returns(result):
    cut = result.equity["date"].iloc[600]
    later = result.equity["date"] > cut
    changed = result.equity.copy()
    changed.loc[later, ["net_return", "gross_return"]] = 0.05
    changed.loc[later, "equity"] *= 7.0
    for draw in (performance.rolling_sharpe_volatility, performance.equity_and_drawdown):
        before, after = draw(result), draw(replace(result, equity=changed))
        rows = np.asarray(before.data[0].x) <= str(cut.date())
        assert rows.any()
        assert before.data[0].y[rows].tobytes() == after.data[0].y[rows].tobytes()


def test_exposure_and_monthly_turnover_equal_the_stored_ones(result):
    figure = performance.exposure_and_turnover(result)
    stored = block(result, "risk_aware")
    np.testing.assert_allclose(figure.data[0].y, stored["leverage"], rtol=1e-6)
    march = (stored["date"] >= "2015-03-01") & (stored["date"] < "2015-04-01")
    position = list(figure.data[1].x).index("2015-03-01")
    np.testing.assert_allclose(
        figure.data[1].y[position], stored.loc[march, "turnover"].sum(), rtol=1e-5
    )
    np.testing.assert_allclose(figure.data[1].y.sum(), stored["turnover"].sum(), rtol=1e-5)


def test_costs_paid_end_at_the_sum_of_stored_costs(result):
    figure = performance.costs(result)
    gross, net, paid = figure.data
    stored = block(result, "risk_aware")
    np.testing.assert_allclose(paid.y[-1], stored["cost"].sum(), rtol=1e-5)
    np.testing.assert_allclose(net.y, stored["equity"], rtol=1e-6)
    assert (gross.y >= net.y - 1e-6).all()


def test_window_without_returns_says_so(result):
    figure = performance.equity_and_drawdown(result, start=pd.Timestamp("2100-01-01"))
    assert figure.layout.meta["empty"] == "This run has no returns in the chosen window"


def test_intraday_dates_keep_their_minutes(result):
    stamps = result.equity["date"].dt.tz_localize("UTC") + pd.Timedelta(hours=14, minutes=30)
    figure = performance.equity_and_drawdown(
        replace(result, equity=result.equity.assign(date=stamps)), start="2016-01-01"
    )
    assert figure.data[0].x[0] == "2016-01-01 14:30"
