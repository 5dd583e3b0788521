"""Tables of several families are read and scored row by row, old ones too."""

import numpy as np
import pandas as pd
import pytest

from fingru.distributions import Mixture, Normal, Quantiles, SkewedT, StudentT, from_columns
from fingru.errors import DataError
from fingru.measures.evaluation import row_scores

Y = np.array([-0.3, 0.1, 2.0])
MEAN, VARIANCE = np.array([0.0, 0.1, 0.2]), np.array([1.0, 2.0, 0.5])
MODELS = {
    "truth": Normal(MEAN, VARIANCE),
    "ewma": StudentT(MEAN, VARIANCE, [4.0, 5.0, 6.0]),
    "gru": SkewedT(MEAN, VARIANCE, [4.0, 5.0, 6.0], [0.3, 0.0, -0.6]),
    "quantiles": Quantiles([0.1, 0.5, 0.9], MEAN + np.array([[-1.0], [0.1], [1.0]])),
    "other levels": Quantiles([0.2, 0.7], MEAN + np.array([[-1.0], [0.5]])),
    "mixture": Mixture(
        (StudentT(MEAN, VARIANCE, [3.0, 4.0, 5.0]), Normal(MEAN + 1, VARIANCE)), [0.4, 0.6]
    ),
}


def table_of(models):
    frames = []
    for name in models:
        distribution = MODELS[name]
        frame = pd.DataFrame({"model": name, "realized": Y, **distribution.columns()})
        if name in ("quantiles", "other levels", "mixture"):
            frame["family"] = distribution.signature
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize("models", [["truth", "ewma", "gru"], list(MODELS)], ids=["nested", "all"])
def test_rows_of_several_models_score_as_each_alone(models):
    table = table_of(models).sample(frac=1, random_state=1).reset_index(drop=True)
    scored = row_scores(table)
    both = from_columns(table)
    for name in models:
        own, alone = (table["model"] == name).to_numpy(), MODELS[name]
        order = np.argsort(np.argsort(table["realized"][own]))
        expected = {
            "log_score": -alone.log_prob(Y), "crps": alone.crps(Y),
            "gaussian_nll": -Normal(alone.mean, alone.variance).log_prob(Y),
            "qlike": np.log(alone.variance) + Y**2 / alone.variance,
        }  # fmt: skip
        for score, values in expected.items():
            np.testing.assert_allclose(scored[score][own], values[order], rtol=1e-13)
        np.testing.assert_allclose(both.ppf(0.1)[own], alone.ppf(0.1)[order], rtol=1e-13)
        np.testing.assert_allclose(both.cdf(table["realized"])[own], alone.cdf(Y)[order])


def test_rows_of_several_families_are_cut_moved_and_drawn():
    table = table_of(MODELS)
    whole = from_columns(table)
    wide, some = whole.scaled(2.0), np.array([17, 1, 9])
    np.testing.assert_allclose(wide.std, 2 * whole.std)
    np.testing.assert_allclose(wide.mean, whole.mean)
    cut = whole[some]
    np.testing.assert_array_equal(cut.crps(0.0), whole.crps(0.0)[some])
    assert cut.shape == (3,)
    assert whole.detached().sample(5, np.random.default_rng(0)).shape == (5, len(table))
    assert whole.log_prob(np.zeros((2, 1))).shape == (2, len(table))
    np.testing.assert_allclose(whole.columns()["df"][3:6], [4, 5, 6])


def test_tables_of_before_there_was_a_skew_are_read():
    table = table_of(["truth", "ewma"]).assign(skew=np.nan)
    assert from_columns(table).family == "student_t"
    assert from_columns(table.drop(columns="skew")).family == "student_t"
    assert from_columns(table.drop(columns=["skew", "df"])).family == "normal"
    assert from_columns(table[:3]).family == "normal"
    assert from_columns(table[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"family": "stable"},
            "no family of distributions 'stable': families are normal",
        ),
        ({"family": "quantiles(0.1,0.4)"}, "have no column 'quantile_0.4'"),
        ({"variance": -1.0, "family": None}, "a variance is -1, which is not a positive number"),
    ],
)
def test_rows_that_cannot_be_read_are_refused(change, message):
    with pytest.raises(DataError, match=message.replace("(", r"\(").replace(")", r"\)")):
        from_columns(table_of(["quantiles"]).assign(**change))


@pytest.mark.parametrize("name", ["mean", "variance"])
def test_a_table_without_moments_is_refused(name):
    with pytest.raises(DataError, match=f"have no column '{name}'"):
        from_columns(table_of(["ewma"]).drop(columns=name))
