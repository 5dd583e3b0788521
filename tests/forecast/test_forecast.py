from dataclasses import replace

import numpy as np

from fingru.forecast.forecast import COLUMNS, Forecast, distributions
from fingru.measures.evaluation import row_scores
from fingru.measures.scores import log_score, pit


def some_forecast(problem, df=None):
    prices, labels = problem.prices, problem.labels
    mean = np.where(prices.has_bar[..., None], 0.001 * np.ones(labels.values.shape), np.nan)
    return Forecast(
        "some", prices.index, prices.assets, labels.horizons, mean, np.abs(mean) + 1e-4, df
    )


def test_frame_has_one_row_per_known_label_sorted(problem_of, prices_with_gaps):
    problem = problem_of(prices_with_gaps)
    frame = some_forecast(problem).to_frame(problem.labels)
    assert tuple(frame.columns[: len(COLUMNS)]) == COLUMNS
    assert len(frame) == np.isfinite(problem.labels.values).sum()
    assert frame["df"].isna().all()
    order = frame.sort_values(["horizon", "origin", "asset"], kind="stable").index
    assert (order == frame.index).all()
    assert (frame["target"] > frame["origin"]).all()


def test_frame_realized_is_the_log_return_between_origin_and_target(problem_of, prices_with_gaps):
    problem = problem_of(prices_with_gaps)
    frame = some_forecast(problem).to_frame(problem.labels).iloc[::97]
    close = prices_with_gaps.close
    for row in frame.itertuples():
        a = prices_with_gaps.assets.index(row.asset)
        t, u = (prices_with_gaps.index.get_loc(day) for day in (row.origin, row.target))
        assert np.isclose(row.realized, np.log(close[u, a] / close[t, a]), rtol=1e-12, atol=1e-15)


def test_horizon_position(problem_of, prices_small):
    assert some_forecast(problem_of(prices_small)).horizon_position(5) == 1


def test_skew_is_a_column_and_none_is_null(problem_of, prices_small):
    problem = problem_of(prices_small)
    plain = some_forecast(problem, df=np.full(problem.labels.values.shape, 5.0))
    assert plain.to_frame(problem.labels)["skew"].isna().all()
    assert distributions(plain.to_frame(problem.labels))["skew"] is None
    skewed = replace(plain, skew=np.full(plain.mean.shape, -0.25))
    frame = skewed.to_frame(problem.labels)
    assert (distributions(frame)["skew"] == -0.25).all()
    without = frame.drop(columns="skew")  # as written by versions that knew no skew
    assert distributions(without)["skew"] is None


def test_scores_of_a_table_know_its_skew(problem_of, prices_small):
    problem = problem_of(prices_small)
    plain = some_forecast(problem, df=np.full(problem.labels.values.shape, 5.0))
    frame = replace(plain, skew=np.full(plain.mean.shape, 0.5)).to_frame(problem.labels)
    found = row_scores(frame)
    arguments = (frame["realized"], frame["mean"], frame["variance"], frame["df"], frame["skew"])
    np.testing.assert_array_equal(found["log_score"], log_score(*arguments))
    inside = np.abs(pit(*arguments) - 0.5) <= 0.45
    np.testing.assert_array_equal(found["covered90"], inside)
    assert (found["log_score"] != row_scores(frame.drop(columns="skew"))["log_score"]).any()
