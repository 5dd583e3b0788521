"""Models by the conventions of scikit-learn."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import fingru
from fingru.api import models
from fingru.errors import ConfigError, DataError, ModelError
from fingru.models.registry import kinds

EVERY = [one for one in vars(models).values() if inspect.isclass(one) and getattr(one, "kind", "")]


def test_every_shipped_kind_has_a_class_of_its_own():
    assert {found.kind for found in EVERY} == set(kinds())


@pytest.mark.parametrize("make", EVERY)
def test_parameters_come_back_and_make_an_equal_model(make):
    sklearn = pytest.importorskip("sklearn.base")
    made = make(horizons=(1, 3))
    values = made.get_params()
    assert values["horizons"] == (1, 3)
    assert make(**values).get_params() == values
    assert sklearn.clone(made).get_params() == values
    assert made.clone().get_params() == values
    assert made.config.model.kind == make.kind


def test_parameters_are_those_of_the_configuration():
    gru = fingru.GRU(members=2, scales=(1, 5), recalibrated=False, seed=7)
    config = gru.config
    assert (config.model.members, config.features.scales, config.seed) == (2, (1, 5), 7)
    assert not config.recalibration.enabled
    assert repr(gru) == "GRU(members=2, scales=(1, 5), recalibrated=False, seed=7)"
    assert repr(fingru.GRU(**gru.get_params())) == repr(gru)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fingru.GRU(membrs=3), "GRU has no parameter 'membrs': did you mean 'members'"),
        (lambda: fingru.GRU(members=0), "'model.members' is 0: give an integer from 1 to 64"),
        (lambda: fingru.EWMA().set_params(kelly=1), "EWMA has no parameter 'kelly': it has hor"),
        (lambda: fingru.model("gar"), "there is no model 'gar': did you mean 'har' or|'garch'"),
    ],
)
def test_wrong_parameters_are_refused_when_a_model_is_made(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_a_model_of_any_kind_is_made_by_its_name():
    assert type(fingru.model("garch")) is fingru.GARCH
    mixed = fingru.model("ewma+garch")
    assert repr(mixed.clone()) == "ewma+garch()"


def test_predict_goes_on_from_the_fit_without_refitting(prices, walked):
    fold = walked["ewma"].folds[-1]
    model = fingru.EWMA(horizons=(1, 5)).fit(prices.until(fold.origin))
    forecasts = model.predict(prices)
    rows = slice(fold.test_first, fold.test_last + 1)
    np.testing.assert_array_equal(
        forecasts.forecast.variance[rows], walked["ewma"].forecast.variance[rows]
    )
    assert np.isfinite(forecasts.mean.iloc[-1]).all()


def test_predictions_do_not_depend_on_what_follows(prices, df):
    model = fingru.GARCH().fit(prices.until(600))
    later = df.copy()
    later.iloc[651:] *= 3.0
    now, then = (model.predict(p).variance for p in (df, later))
    cut = prices.index[650]
    assert now[:cut].equals(then[:cut])
    assert not now.equals(then)


def test_what_is_not_fitted_or_does_not_go_on_is_refused(prices):
    with pytest.raises(ModelError, match=r"this GARCH is not fitted: call fit\(prices\) before"):
        fingru.GARCH().predict(prices)
    fitted = fingru.EWMA().fit(prices)
    with pytest.raises(ModelError, match="was fitted at"):
        fitted.predict(prices.until(500))
    with pytest.raises(ModelError, match="not fitted"):
        fitted.set_params(ewma_decay=0.9).predict(prices)
    with pytest.raises(DataError, match="there is no sample"):
        fingru.EWMA().fit("sample:stocks")
