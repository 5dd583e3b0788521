"""The gate on hand-made forecasts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fingru.retrain.gate import judge


def forecasts(sizes, n=120, horizon=1):
    """Gaussian forecasts whose standard deviation is a multiple of the true one, 0.01."""
    rng = np.random.default_rng(0)
    dates = pd.bdate_range("2020-01-01", periods=n)
    realized = rng.normal(0, 0.01, n)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "origin": dates,
                    "target": dates + pd.offsets.BDay(horizon),
                    "asset": "A",
                    "horizon": horizon,
                    "model": model,
                    "mean": 0.0,
                    "variance": (0.01 * size) ** 2,
                    "df": np.nan,
                    "realized": realized,
                }
            )
            for model, size in sizes.items()
        ],
        ignore_index=True,
    )


@pytest.mark.parametrize(
    ("sizes", "verdict", "said"),
    [
        ({"challenger": 1.0, "champion": 1.5, "ewma": 1.6}, "promote", "better by"),
        ({"challenger": 1.5, "champion": 1.0, "ewma": 1.6}, "keep", "no better than the champion"),
        ({"challenger": 1.2, "champion": 1.2, "ewma": 1.6}, "keep", "no better than the champion"),
        ({"challenger": 1.5, "champion": 2.0, "ewma": 1.1}, "keep", "worse than EWMA"),
    ],
)
def test_verdict_follows_the_scores(sizes, verdict, said):
    decision = judge(forecasts(sizes), 1)
    assert decision.verdict == verdict
    assert said in decision.reason
    assert decision.scores["n"] == 120
    assert decision.to_dict()["verdict"] == verdict


def test_scores_are_the_mean_log_scores():
    table = forecasts({"challenger": 1.0, "champion": 1.5, "ewma": 1.6})
    y = table["realized"][:120].to_numpy() / 0.015
    expected = np.mean(0.5 * np.log(2 * np.pi) + np.log(0.015) + 0.5 * y**2)
    scores = judge(table, 1).scores
    assert scores["champion"] == pytest.approx(expected, rel=1e-12)
    assert 0 < scores["p_value"] < 0.01


def test_equal_forecasts_have_no_p_value_and_keep_the_champion():
    decision = judge(forecasts({"challenger": 1.0, "champion": 1.0, "ewma": 1.0}), 1)
    assert decision.verdict == "keep"
    assert decision.scores["p_value"] is None


def test_only_the_chosen_horizon_and_common_rows_count():
    table = forecasts({"challenger": 1.0, "champion": 1.5, "ewma": 1.6})
    other = forecasts({"challenger": 9.0, "champion": 1.0, "ewma": 1.0}, horizon=5)
    missing = (table["model"] == "champion") & (table["origin"] >= table["origin"].iloc[100])
    decision = judge(pd.concat([table[~missing], other], ignore_index=True), 1)
    assert decision.verdict == "promote"
    assert decision.scores["n"] == 100


def test_without_a_common_row_the_champion_stays():
    table = forecasts({"challenger": 1.0, "champion": 1.5, "ewma": 1.6})
    unknown = table["model"] == "champion"
    table.loc[unknown, ["mean", "variance"]] = np.nan
    decision = judge(table, 1)
    assert decision.verdict == "keep"
    assert "no session" in decision.reason
    assert decision.scores == {"n": 0}
