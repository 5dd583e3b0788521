import numpy as np

from fingru.distributions import SkewedT, from_columns
from fingru.forecast.forecast import COLUMNS, Forecast
from fingru.measures.evaluation import row_scores
from tests.conftest import changed


def some_forecast(problem, df=None):
    prices, labels = problem.prices, problem.labels
    mean = np.where(prices.has_bar[..., None], 0.001 * np.ones(labels.values.shape), np.nan)
    columns = {"mean": mean, "variance": np.abs(mean) + 1e-4, "df": df}
    return Forecast.from_columns("some", prices.index, prices.assets, labels.horizons, columns)


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


def test_skew_is_a_column_and_none_is_null(problem_of, prices_small):
    problem = problem_of(prices_small)
    plain = some_forecast(problem, df=np.full(problem.labels.values.shape, 5.0))
    assert plain.to_frame(problem.labels)["skew"].isna().all()
    assert from_columns(plain.to_frame(problem.labels)).family == "student_t"
    skewed = changed(plain, skew=np.full(plain.mean.shape, -0.25))
    frame = skewed.to_frame(problem.labels)
    assert (from_columns(frame).skew == -0.25).all()
    without = frame.drop(columns="skew")  # as written by versions that knew no skew
    assert from_columns(without).family == "student_t"


def test_scores_of_a_table_know_its_skew(problem_of, prices_small):
    problem = problem_of(prices_small)
    plain = some_forecast(problem, df=np.full(problem.labels.values.shape, 5.0))
    frame = changed(plain, skew=np.full(plain.mean.shape, 0.5)).to_frame(problem.labels)
    found = row_scores(frame)
    told = SkewedT(frame["mean"], frame["variance"], frame["df"], frame["skew"])
    np.testing.assert_array_equal(found["log_score"], -told.log_prob(frame["realized"]))
    inside = np.abs(told.cdf(frame["realized"]) - 0.5) <= 0.45
    np.testing.assert_array_equal(found["covered90"], inside)
    assert (found["log_score"] != row_scores(frame.drop(columns="skew"))["log_score"]).any()
