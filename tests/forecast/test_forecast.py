import numpy as np

from fingru.forecast.forecast import COLUMNS, Forecast


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
