from dataclasses import replace

import numpy as np
import pandas as pd

from fingru.report import calendar_returns
from fingru.report.selection import dated_returns


def own(result):
    return result.equity[result.equity["strategy"] == result.strategy]


def test_monthly_cell_and_year_compound_the_stored_returns(result):
    figure = calendar_returns.monthly_returns_map(result)
    heat = figure.data[0]
    rows = own(result)
    june = rows[(rows["date"] >= "2016-06-01") & (rows["date"] < "2016-07-01")]["net_return"]
    year = rows[rows["date"].dt.year == 2016]["net_return"]
    row = list(heat.y).index("2016")
    np.testing.assert_allclose(heat.z[row][5], np.prod(1 + june) - 1, rtol=1e-5)
    np.testing.assert_allclose(heat.z[row][12], np.prod(1 + year) - 1, rtol=1e-5)
    assert heat.x[5] == "Jun"
    written = f"{100 * (np.prod(1 + june) - 1):.1f}".replace("-", "\u2212")
    assert heat.text[row][5] == written


def test_monthly_map_leaves_months_without_bars_blank(result):
    some = result.equity[result.equity["date"] >= "2015-03-02"]
    heat = calendar_returns.monthly_returns_map(replace(result, equity=some)).data[0]
    assert np.isnan(heat.z[0][0])
    assert heat.text[0][0] == ""


def test_monthly_map_is_symmetric_around_zero(result):
    heat = calendar_returns.monthly_returns_map(result).data[0]
    assert heat.zmin == -heat.zmax
    assert heat.zmid == 0


def test_yearly_bars_compound_strategy_and_benchmark(result):
    figure = calendar_returns.yearly_returns_bars(result)
    for trace, name in zip(figure.data, ("risk_aware", "buy_and_hold"), strict=True):
        rows = result.equity[result.equity["strategy"] == name]
        of_2017 = rows[rows["date"].dt.year == 2017]["net_return"]
        np.testing.assert_allclose(
            trace.y[list(trace.x).index("2017")], np.prod(1 + of_2017) - 1, rtol=1e-5
        )


def test_histogram_counts_every_return_once(result):
    figure = calendar_returns.return_distribution(result)
    assert figure.data[0].y.sum() == len(own(result))


def test_histogram_marks_the_stored_value_at_risk_only_for_all_returns(result):
    lines = {trace.meta: trace.x[0] for trace in calendar_returns.return_distribution(result).data}
    stored = result.metrics["strategies"]["risk_aware"]
    assert lines["var95"] == stored["var95"]
    assert lines["cvar95"] == stored["cvar95"]
    windowed = calendar_returns.return_distribution(result, start="2016-01-01")
    assert "var95" not in {trace.meta for trace in windowed.data}


def test_histogram_of_equal_returns_says_why_it_is_empty(result):
    flat = replace(result, equity=result.equity.assign(net_return=0.0))
    assert calendar_returns.return_distribution(flat).layout.meta["empty"]


def test_weights_map_equals_the_stored_targets(result_factory):
    result = result_factory(n_sessions=300)
    heat = calendar_returns.weights_map(result).data[0]
    wide = result.weights.pivot_table(index="date", columns="asset", values="weight")
    np.testing.assert_allclose(heat.z, wide[["AAA", "BBB", "CCC"]].to_numpy().T, rtol=1e-6)
    assert list(heat.y) == ["AAA", "BBB", "CCC"]


def test_weights_map_of_many_sessions_says_how_it_was_thinned(result):
    figure = calendar_returns.weights_map(result)
    assert figure.data[0].z.shape == (3, 390)
    assert "One session in 2 of 780" in figure.layout.meta["caption"]


def test_dated_returns_keep_order_and_values(result):
    returns = dated_returns(own(result))
    assert isinstance(returns.index, pd.DatetimeIndex)
    np.testing.assert_array_equal(returns.to_numpy(), own(result)["net_return"].to_numpy())
