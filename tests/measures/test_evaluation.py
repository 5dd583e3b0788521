import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fingru.errors import DataError
from fingru.measures.evaluation import (
    common_rows,
    compare_models,
    loss_table,
    model_confidence_set,
    score_forecasts,
)


@pytest.fixture
def two_assets(table_of):
    """Model m on assets A (two rows) and B (three rows), unit variance, Gaussian."""
    return pd.concat(
        [
            table_of("m", [1.0, -1.0], mean=[0.5, -0.5], asset="A"),
            table_of("m", [0.0, 2.0, 2.5], mean=[0.0, 1.0, 2.0], asset="B"),
        ]
    )


def gaussian(z2):
    return 0.5 * (np.log(2 * np.pi) + z2)


def test_scores_pool_the_means_of_assets_and_coverage_over_all_rows(two_assets):
    leaf = score_forecasts(two_assets)["m"]["1"]
    of_a, of_b = gaussian(0.25), (gaussian(0.0) + gaussian(1.0) + gaussian(0.25)) / 3
    assert leaf["assets"]["A"]["log_score"] == pytest.approx(of_a)
    assert leaf["assets"]["B"]["gaussian_nll"] == pytest.approx(of_b)
    assert leaf["pooled"]["log_score"] == pytest.approx((of_a + of_b) / 2)
    assert leaf["assets"]["A"]["qlike"] == pytest.approx(1.0)
    assert leaf["assets"]["B"]["qlike"] == pytest.approx((0.0 + 4.0 + 6.25) / 3)
    assert leaf["assets"]["B"]["n"] == 3
    assert leaf["pooled"]["n"] == 5
    assert leaf["pooled"]["ic"] == pytest.approx(
        np.corrcoef([0.5, -0.5, 0, 1, 2], [1, -1, 0, 2, 2.5])[0, 1]
    )
    assert leaf["assets"]["A"]["ic"] is None  # two rows say nothing


def test_coverage_counts_rows_inside_the_central_interval(table_of):
    frame = table_of("m", [0.0, 1.6, 1.7, -1.9, 2.0, 30.0])
    pooled = score_forecasts(frame)["m"]["1"]["pooled"]
    assert pooled["coverage90"] == pytest.approx(2 / 6)  # |z| <= 1.645
    assert pooled["coverage95"] == pytest.approx(4 / 6)  # |z| <= 1.960


def test_rank_ic_is_spearman_and_undefined_is_none(table_of):
    rng = np.random.default_rng(0)
    realized, mean = rng.normal(size=(2, 40)).round(1)
    frame = pd.concat(
        [table_of("m", realized, mean=mean), table_of("flat", realized)], ignore_index=True
    )
    found = score_forecasts(frame)
    assert found["m"]["1"]["pooled"]["rank_ic"] == pytest.approx(
        stats.spearmanr(mean, realized).statistic
    )
    assert found["flat"]["1"]["pooled"]["ic"] is None
    assert found["flat"]["1"]["pooled"]["rank_ic"] is None


def test_scores_do_not_depend_on_row_labels_or_order(two_assets, table_of):
    both = pd.concat([two_assets, table_of("other", [0.1, 3.0, -2.0], variance=2.0, asset="A")])
    shuffled = both.sample(frac=1.0, random_state=1)
    one, other = score_forecasts(both), score_forecasts(shuffled)
    for model, of_model in one.items():
        for key, value in of_model["1"]["pooled"].items():
            assert other[model]["1"]["pooled"][key] == pytest.approx(value), (model, key)


def test_scores_are_valid_json_without_nan_and_skip_unusable_rows(two_assets):
    frame = two_assets.reset_index(drop=True)
    frame.loc[0, "variance"] = np.nan
    frame.loc[1, "variance"] = 0.0
    found = json.loads(json.dumps(score_forecasts(frame), allow_nan=False))
    assert set(found["m"]["1"]["assets"]) == {"B"}
    assert score_forecasts(frame.iloc[:0]) == {}


def test_horizons_are_keys_of_their_own(table_of):
    frame = pd.concat([table_of("m", [1.0, 2.0]), table_of("m", [3.0], horizon=5)])
    assert list(score_forecasts(frame)["m"]) == ["1", "5"]


def test_common_rows_keep_what_every_model_has(table_of):
    a = table_of("a", [0.1, 0.2, 0.3, 0.4])
    b = table_of("b", [0.1, 0.2, 0.3, 0.4]).iloc[[3, 1, 0]]
    b_missing = b.assign(mean=[0.0, np.nan, 0.0])
    frame = common_rows(pd.concat([a, b_missing]))
    assert frame.groupby("model")["realized"].apply(list).to_dict() == {
        "a": [0.1, 0.4],
        "b": [0.4, 0.1],
    }


def test_common_rows_of_models_that_share_nothing_are_none(table_of):
    a, b = table_of("a", [0.1, 0.2], asset="A"), table_of("b", [0.1, 0.2], asset="B")
    assert common_rows(pd.concat([a, b])).empty
    assert common_rows(a.iloc[:0]).empty


def test_common_rows_tell_horizons_and_assets_apart(table_of):
    a = pd.concat([table_of("a", [0.1]), table_of("a", [0.1], horizon=5)])
    b = pd.concat([table_of("b", [0.1]), table_of("b", [0.1], asset="B")])
    assert common_rows(pd.concat([a, b]))["horizon"].tolist() == [1, 1]


def test_a_model_that_forecasts_a_row_twice_is_refused(table_of):
    with pytest.raises(DataError, match="two forecasts for S0"):
        common_rows(pd.concat([table_of("a", [0.1, 0.2]), table_of("a", [0.1])]))


@pytest.fixture
def contest(table_of):
    """True variance 1; gru knows it, near is a little off, far is far off; two assets."""
    rng = np.random.default_rng(7)
    parts = []
    for asset in ("A", "B"):
        y = rng.normal(size=1500)
        for model, variance in (("gru", 1.0), ("near", 1.02), ("far", 2.5)):
            parts.append(table_of(model, y, variance=variance, asset=asset))
    return pd.concat(parts, ignore_index=True)


def test_compare_models_names_the_best_other_and_its_distance(contest):
    table = compare_models(contest, 1)
    assert table.index.tolist() == ["A", "B"]
    assert (table["best_other"] == "near").all()
    np.testing.assert_allclose(table["gain"], table["near"] - table["gru"])
    assert (np.sign(table["dm_statistic"]) == np.sign(table["gain"])).all()
    assert (table["n"] == 1500).all()
    leaf = score_forecasts(contest)["gru"]["1"]["assets"]["A"]
    assert table.loc["A", "gru"] == pytest.approx(leaf["log_score"])


def test_compare_models_finds_a_clear_difference_significant(contest):
    table = compare_models(contest[contest["model"] != "near"], 1)
    assert (table["gain"] > 0.05).all()
    assert (table["dm_p"] < 1e-6).all()


def test_compare_models_without_the_model_or_rows_is_refused(contest):
    with pytest.raises(DataError, match="'lstm'"):
        compare_models(contest, 1, model="lstm")
    with pytest.raises(DataError, match="horizon 5"):
        compare_models(contest, 5)


def test_loss_table_is_in_order_of_time_whatever_the_rows_order(contest):
    table = loss_table(contest.sample(frac=1.0, random_state=3), 1, "crps")
    pd.testing.assert_frame_equal(table, loss_table(contest, 1, "crps"))
    assert table.index.is_monotonic_increasing


def test_model_confidence_set_keeps_the_best_and_drops_the_worst(contest):
    table = model_confidence_set(contest, 1, seed=1)
    assert table.loc["gru", "included"]
    assert not table.loc["far", "included"]
    assert table.loc["far", "p_value"] < 0.01
    assert table["score"].is_monotonic_increasing
    pd.testing.assert_frame_equal(table, model_confidence_set(contest, 1, seed=1))


def test_model_confidence_set_of_one_model_is_refused(table_of):
    with pytest.raises(DataError, match="two models"):
        model_confidence_set(table_of("m", [1.0, 2.0, 3.0]), 1)


def test_the_share_of_forecasts_that_are_a_fallback_stands_beside_the_score():
    table = pd.DataFrame(
        {
            "origin": np.repeat(pd.bdate_range("2020-01-01", periods=4), 2),
            "asset": ["A", "B"] * 4, "horizon": 1, "model": "garch", "mean": 0.0,
            "variance": 1e-4, "df": np.nan, "realized": [0.01, -0.01] * 4,
            "target": np.repeat(pd.bdate_range("2020-01-02", periods=4), 2),
            "fallback": [True, False] * 3 + [False, False],
        }
    )  # fmt: skip
    found = score_forecasts(table)["garch"]["1"]
    assert found["assets"]["A"]["fallback_share"] == 0.75
    assert found["assets"]["B"]["fallback_share"] == 0.0
    assert found["pooled"]["fallback_share"] == 0.375
    without = score_forecasts(table.drop(columns="fallback"))["garch"]["1"]
    assert without["pooled"]["fallback_share"] == 0.0
