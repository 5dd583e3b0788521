import numpy as np
import pytest
from scipy import stats

from fingru.report.forecast_bands import forecast_bands


def traces(figure):
    return {trace.meta or trace.name: trace for trace in figure.data}


def rows(result, asset="AAA", model="gru", horizon=1):
    table = result.forecasts
    chosen = (table["asset"] == asset) & (table["model"] == model) & (table["horizon"] == horizon)
    return table[chosen]


def test_mean_and_normal_band_equal_the_stored_moments(result):
    drawn, stored = traces(forecast_bands(result, "AAA")), rows(result)
    np.testing.assert_allclose(drawn["Mean"].y, stored["mean"], rtol=1e-5)
    width = 1.96 * np.sqrt(stored["variance"])
    np.testing.assert_allclose(drawn["sigma+1"].y, stored["mean"] + width, rtol=1e-5)
    np.testing.assert_allclose(drawn["sigma-1"].y, stored["mean"] - width, rtol=1e-5)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("model", ["gru", "ewma"])
def test_bands_are_quantiles_of_the_models_own_distribution(result, level, model):
    drawn, stored = traces(forecast_bands(result, "BBB", model=model)), rows(result, "BBB", model)
    scale = np.sqrt(stored["variance"])
    if model == "gru":
        edge = stats.t.ppf((1 + level) / 2, 6.0) * np.sqrt(4.0 / 6.0)
    else:
        edge = stats.norm.ppf((1 + level) / 2)
    np.testing.assert_allclose(
        drawn[f"upper{level}"].y, stored["mean"] + edge * scale, rtol=1e-4, atol=1e-7
    )
    np.testing.assert_allclose(
        drawn[f"lower{level}"].y, stored["mean"] - edge * scale, rtol=1e-4, atol=1e-7
    )


def test_realised_returns_stand_at_their_target_and_split_at_the_band(result):
    drawn, stored = traces(forecast_bands(result, "CCC")), rows(result, "CCC")
    inside, outside = drawn["inside"], drawn["outside"]
    together = dict(zip([*inside.x, *outside.x], [*inside.y, *outside.y], strict=True))
    expected = dict(zip(stored["target"].dt.strftime("%Y-%m-%d"), stored["realized"], strict=True))
    assert together.keys() == expected.keys()
    np.testing.assert_allclose(
        [together[day] for day in expected], list(expected.values()), rtol=1e-5
    )
    upper = dict(zip(drawn["upper0.95"].x, drawn["upper0.95"].y, strict=True))
    lower = dict(zip(drawn["lower0.95"].x, drawn["lower0.95"].y, strict=True))
    assert all(lower[d] <= y <= upper[d] for d, y in zip(inside.x, inside.y, strict=True))
    assert not any(lower[d] < y < upper[d] for d, y in zip(outside.x, outside.y, strict=True))
    share = 100 * len(outside.x) / len(stored)
    assert (
        f"{len(outside.x)} of {len(stored)} realised returns ({share:.1f} %)"
        in (forecast_bands(result, "CCC").layout.meta["caption"])
    )


def test_window_is_in_target_sessions(result):
    drawn = traces(forecast_bands(result, "AAA", start="2016-02-01", end="2016-02-29"))
    assert drawn["Mean"].x[0] == "2016-02-01"
    assert drawn["Mean"].x[-1] == "2016-02-29"


def test_horizon_is_chosen(awkward_results):
    result = awkward_results["multi_horizon"]
    drawn, stored = traces(forecast_bands(result, "AAA", horizon=5)), rows(result, horizon=5)
    np.testing.assert_allclose(drawn["Mean"].y, stored["mean"], rtol=1e-5)
    assert drawn["Mean"].x[0] == str(stored["target"].iloc[0].date())


def test_unknown_asset_says_so(result):
    assert "ZZZ" in forecast_bands(result, "ZZZ").layout.meta["empty"]
