"""Forecasts as tables, against the arrays they come from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import fingru
from fingru.errors import DataError
from fingru.measures.evaluation import score_forecasts


@pytest.fixture
def ewma(walked):
    return walked["ewma"]


def test_tables_have_origins_as_rows_and_assets_and_horizons_as_columns(ewma, prices):
    rows = slice(ewma.folds[0].test_first, ewma.folds[-1].test_last + 1)
    expected = ewma.forecast.variance[rows]
    assert ewma.variance.index.equals(prices.index[rows].rename("origin"))
    assert list(ewma.variance.columns[:2]) == [("S0", 1), ("S0", 5)]
    np.testing.assert_array_equal(ewma.variance["S1", 5], expected[:, 1, 1])
    np.testing.assert_allclose(ewma.std**2, ewma.variance)
    assert len(ewma) == len(expected)


def test_one_horizon_has_assets_as_columns(prices):
    forecasts = fingru.EWMA().fit(prices.until(650)).predict(prices)
    assert forecasts.mean.columns.tolist() == ["S0", "S1"]
    assert str(forecasts.origins[0]) == str(prices.index[650])
    assert forecasts.origins[-1] == prices.index[-1]


def test_quantiles_are_those_of_the_distribution(ewma):
    df, std = 6.0, ewma.std["S0", 1].iloc[7]
    expected = stats.t.ppf(0.05, df) * std * np.sqrt((df - 2.0) / df)
    assert ewma.quantile(0.05)["S0", 1].iloc[7] == pytest.approx(expected, rel=1e-9)
    low, high = ewma.interval(0.9)
    pd.testing.assert_frame_equal(low, ewma.quantile(0.05), rtol=1e-12)
    pd.testing.assert_frame_equal(high, -low, rtol=1e-9)


def test_samples_are_of_one_origin_and_repeat_by_their_seed(ewma):
    drawn = ewma.sample(20_000)
    assert drawn["S0", 5].std() == pytest.approx(ewma.at()["std"]["S0", 5], rel=0.05)
    assert drawn.equals(ewma.sample(20_000))
    earlier = ewma.sample(3, origin=str(ewma.origins[2].date()), seed=1)
    assert earlier.shape == (3, 4)
    assert not earlier.equals(ewma.sample(3, seed=1))


def test_at_shows_one_origin(ewma):
    latest = ewma.at()
    assert list(latest.columns) == ["mean", "std", "q05", "q50", "q95"]
    assert latest.loc[("S1", 5), "std"] == ewma.std["S1", 5].iloc[-1]
    with pytest.raises(DataError, match="no forecast with the origin 1999-01-04: choose a sess"):
        ewma.at("1999-01-04")


def test_the_long_table_has_outcomes_where_they_are_known(prices):
    forecasts = fingru.EWMA(horizons=(1, 5)).fit(prices.until(690)).predict(prices)
    table = forecasts.to_frame()
    assert len(table) == 10 * 2 * 2
    assert table["realized"].isna().sum() == 2 * (1 + 5)
    first = table.iloc[0]
    assert first["realized"] == pytest.approx(prices.log_returns[691, 0], rel=1e-12)
    assert list(table.columns[:5]) == ["origin", "target", "asset", "horizon", "model"]


def test_scores_are_those_of_the_measures(ewma, prices):
    stored = score_forecasts(ewma.forecast.to_frame(ewma.labels), prices)["ewma"]
    assert ewma.scores().loc[5, "crps"] == stored["5"]["pooled"]["crps"]
    by_asset = ewma.scores(by_asset=True)
    assert by_asset.loc[(1, "S1"), "log_score"] == stored["1"]["assets"]["S1"]["log_score"]
    with pytest.raises(DataError, match="no outcome of the forecasts of ewma is known yet"):
        fingru.EWMA().fit(prices).predict(prices).scores()


def test_plot_draws_the_bands_of_an_asset(ewma):
    figure = ewma.plot("S1", horizon=5)
    assert "S1" in figure.layout.meta["title"] or "S1" in str(figure.layout)
    with pytest.raises(DataError, match="asset 'S9' is not forecast: choose S0, S1"):
        ewma.plot("S9")
    with pytest.raises(DataError, match="horizon 3 is not forecast: choose 1, 5"):
        ewma.plot(horizon=3)


def test_what_is_shown_is_short(ewma, walked):
    assert repr(ewma) == (
        f"<Forecasts of ewma: 2 assets, {ewma.origins[0].date()} to {ewma.origins[-1].date()}, "
        "horizon 1, 5>"
    )
    assert "<table" in ewma._repr_html_()
    assert repr(walked).count("\n") == 2
    assert "ewma_2" in walked._repr_html_()


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 5.0])
def test_what_is_no_probability_is_refused(ewma, level):
    with pytest.raises(DataError, match="is no probability"):
        ewma.quantile(level)
