from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from fingru.report import forecast_quality, training


def test_coverage_by_level_counts_returns_inside_the_interval(result):
    figure = forecast_quality.coverage_by_level(result)
    for model, df in (("gru", 6.0), ("ewma", None)):
        trace = next(t for t in figure.data if t.meta == model)
        stored = result.forecasts[result.forecasts["model"] == model]
        z = (stored["realized"] - stored["mean"]).abs() / np.sqrt(stored["variance"])
        for level in (0.5, 0.95):
            edge = (
                stats.norm.ppf((1 + level) / 2)
                if df is None
                else stats.t.ppf((1 + level) / 2, df) * np.sqrt((df - 2) / df)
            )
            drawn = trace.y[list(trace.x).index(level)]
            assert drawn == pytest.approx((z <= edge).mean(), abs=1e-12)


def test_coverage_compares_models_on_common_rows_only(result):
    table = result.forecasts
    gone = (table["model"] == "ewma") & (table["origin"] < "2016-01-01")
    figure = forecast_quality.coverage_by_level(replace(result, forecasts=table[~gone]))
    late = replace(result, forecasts=table[table["origin"] >= "2016-01-01"])
    expected = forecast_quality.coverage_by_level(late)
    np.testing.assert_array_equal(figure.data[0].y, expected.data[0].y)


def test_baselines_are_ordered_by_their_score_after_the_model(result):
    figure = forecast_quality.coverage_by_level(result)
    names = [trace.meta for trace in figure.data if trace.meta]
    assert names == ["gru", "gjr_garch_t", "ewma"]


def test_pit_histogram_has_mean_one_and_counts_all(result):
    bars = forecast_quality.pit_histogram(result).data[0]
    stored = result.forecasts[result.forecasts["model"] == "gru"]
    assert bars.customdata.sum() == len(stored)
    assert bars.y.mean() == pytest.approx(1.0)
    scale = np.sqrt(stored["variance"] * 4.0 / 6.0)
    pit = stats.t.cdf(stored["realized"], 6.0, stored["mean"], scale)
    assert bars.customdata[0] == (pit < 0.05).sum()


def test_score_gains_equal_differences_of_stored_scores(result):
    figure = forecast_quality.score_gains(result)
    best = next(trace for trace in figure.data if trace.meta == "best")
    stored = result.metrics["forecasts"]
    for asset, gain in zip(best.y, best.x, strict=True):
        own, *others = (
            stored[model]["1"]["assets"][asset]["log_score"]
            for model in ("gru", "ewma", "gjr_garch_t")
        )
        assert gain == pytest.approx(min(others) - own, rel=1e-5)


def test_score_gains_skip_an_undefined_score(result):
    forecasts = result.metrics["forecasts"]
    leaf = forecasts["gru"]["1"]
    assets = leaf["assets"] | {"AAA": leaf["assets"]["AAA"] | {"log_score": None}}
    changed = {**forecasts, "gru": {"1": {**leaf, "assets": assets}}}
    drawn = replace(result, metrics={**result.metrics, "forecasts": changed})
    best = next(t for t in forecast_quality.score_gains(drawn).data if t.meta == "best")
    assert set(best.y) == {"BBB", "CCC"}


def test_volatility_deciles_are_equal_groups_of_root_mean_squares(result):
    table = result.forecasts[result.forecasts["model"] == "gru"].head(1000)
    deciles = forecast_quality.volatility_deciles(table)
    lowest = table.sort_values("variance").head(100)
    assert deciles["forecast"].iloc[0] == pytest.approx(np.sqrt(lowest["variance"].mean()))
    surprise = (lowest["realized"] - lowest["mean"]) ** 2
    assert deciles["realised"].iloc[0] == pytest.approx(np.sqrt(surprise.mean()))
    assert (np.diff(deciles["forecast"]) > 0).all()


def test_fold_scores_use_only_the_folds_test_range(result, oracle_log_density):
    scores = forecast_quality.fold_scores(result, 1)
    fold = result.manifest["folds"][1]
    table = result.forecasts
    inside = table[
        (table["origin"] >= fold["test_first"]) & (table["origin"] <= fold["test_last"])
    ]
    for side, model in (("model", "gru"), ("baseline", "gjr_garch_t")):
        own = inside[inside["model"] == model]
        assert scores.loc[1, side] == pytest.approx(-oracle_log_density(own).mean())
    assert scores["n"].sum() == (table["model"] == "gru").sum()


def test_fold_figure_draws_ranges_and_gains(result):
    figure = training.walk_forward_folds(result)
    train, test, gain = figure.data
    folds = result.manifest["folds"]
    assert list(train.base) == [fold["train_first"] for fold in folds]
    assert list(test.customdata) == [fold["test_last"] for fold in folds]
    np.testing.assert_allclose(gain.x, forecast_quality.fold_scores(result, 1)["gain"], rtol=1e-5)


def test_losses_are_means_over_members_and_mark_what_was_kept(result):
    figure = training.losses(result)
    rows = result.training[result.training["fold"] == 1]
    trace = next(t for t in figure.data if t.meta == "1:validation_loss")
    np.testing.assert_allclose(trace.y, rows.groupby("step")["validation_loss"].mean(), rtol=1e-5)
    best = next(t for t in figure.data if t.meta == "best")
    kept = rows[rows["best"]]
    assert best.x[1] == pytest.approx(kept["step"].mean())
    assert best.y[1] == pytest.approx(kept["validation_loss"].mean(), rel=1e-5)


def test_hopeless_baseline_does_not_set_the_scale(result):
    forecasts = result.metrics["forecasts"]
    leaf = forecasts["ewma"]["1"]
    far = {asset: scores | {"log_score": 9.0} for asset, scores in leaf["assets"].items()}
    changed = {**forecasts, "ewma": {"1": {**leaf, "assets": far}}}
    figure = forecast_quality.score_gains(
        replace(result, metrics={**result.metrics, "forecasts": changed})
    )
    best = next(trace for trace in figure.data if trace.meta == "best")
    low, high = figure.layout.xaxis.range
    assert low < min(0.0, best.x.min())
    assert best.x.max() < high < 9.0
    assert "outside" in figure.layout.meta["caption"]
