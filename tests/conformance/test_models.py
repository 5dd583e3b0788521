"""The laws of a forecaster, for every registered kind, wrapped, mixed, and written by a user."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from fingru.config import make_config
from fingru.errors import ConfigError, ModelError
from fingru.forecast.problem import Fold
from fingru.models import registry
from fingru.models.ensemble import FittedMixture
from fingru.models.recalibrated import Recalibrated, RecalibratedFitted
from fingru.models.registry import find_kind, kinds, load_fitted, make_forecaster
from fingru.models.walk import rows_of, walk
from fingru.walkforward.walk import make_problem
from tests.conftest import make_panel, with_gaps

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
SETTINGS = {
    "horizons": [1, 5],
    "model": {"hidden_size": 4, "fusion": 4, "members": 2, "backend": "torch"},
    "training": {
        "steps": 3, "warm_start_steps": 2, "finetune_steps": 1, "enough_labels": 1,
        "warmup_steps": 1, "val_every": 1, "batch_size": 2,
        "seq_len": 40, "burn_in": 10, "context_bars": 30, "threads": 1,
    },
    "features": {"columns": ["log_return", "volatility_10"], "scales": [1, 3],
                 "longest_window": 30},
    "baselines": {"rolling_bars": 250, "workers": 1},
}  # fmt: skip
FOLDS = [Fold(0, 250, 0, 250, 299), Fold(1, 300, 0, 300, 359)]
SESSIONS = 380
CHANGED = 325
"""Row after which the future is another one: within the second fold."""

ROUNDING = {"rtol": 1e-5, "atol": 1e-9}
"""Of a tensor program whose shapes differ."""


@cache
def documented():
    """The kinds that the page on adding a model makes, by the code that stands there."""
    kinds = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.S):
        names = {"__name__": __name__}
        exec(compile(code, str(PAGE), "exec"), names)
        kinds[names["KIND"].name] = names["KIND"]
    return kinds


MODELS = [
    *registry._shipped(), *documented(), "ewma+gjr_garch_t", "garch+weekday_variance", "ewma+gru",
    "recalibrated ewma", "recalibrated seasonal_naive",
]  # fmt: skip
every_model = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(scope="module", autouse=True)
def _registered():
    for kind in documented().values():
        registry.register(kind)
    yield
    for name in documented():
        registry._REGISTERED.pop(name)


def options_of(name):
    """Settings of a small run of this model."""
    return make_config({**SETTINGS, "model": {**SETTINGS["model"], "kind": name.split()[-1]}})


def forecaster_of(name):
    options = options_of(name)
    made = make_forecaster(options.model.kind, options)
    return Recalibrated(made, options.recalibration) if name.startswith("recal") else made


@cache
def panel():
    """Three assets: listed late, delisted early, and with scattered missing bars."""
    return with_gaps(make_panel(SESSIONS, 3, seed=2))


def problem_of(name, prices=None):
    return make_problem(panel() if prices is None else prices, options_of(name))


@cache
def walked(name):
    """The model's walk over the panel."""
    return walk(forecaster_of(name), problem_of(name), FOLDS)


def tensors(name):
    return find_kind(name.split()[-1]).from_tensors


def columns_of(forecast, rows=slice(None)):
    return {name: values[rows] for name, values in forecast.columns().items()}


def assert_same(one, other, rows=slice(None), **tolerance):
    """All columns equal at some rows: bit by bit, or to a tolerance."""
    ours, theirs = columns_of(one, rows), columns_of(other, rows)
    assert ours.keys() == theirs.keys()
    for column, values in ours.items():
        if tolerance and values.dtype != np.bool_:
            np.testing.assert_allclose(values, theirs[column], **tolerance, err_msg=column)
        else:
            np.testing.assert_array_equal(values, theirs[column], err_msg=column)


@every_model
def test_forecasts_are_distributions_at_bars_of_the_test_ranges(name):
    made = walked(name)
    forecast, prices = made.forecast, panel()
    assert forecast.model == name.split()[-1]
    assert forecast.mean.shape == (SESSIONS, 3, 2)
    assert (forecast.index is prices.index) or forecast.index.equals(prices.index)
    present = np.isfinite(forecast.mean)
    tested = np.zeros(SESSIONS, dtype=bool)
    for fold in FOLDS:
        tested[rows_of(fold)] = True
    assert not present[~tested].any()
    assert not present[~prices.has_bar].any()
    assert (present.all(axis=2) == present.any(axis=2)).all()
    assert present[300:360, 2][prices.has_bar[300:360, 2]].all()
    np.testing.assert_array_equal(np.isfinite(forecast.variance), present)
    assert (forecast.variance[present] > 0).all()
    low, high = forecast.interval(0.9)
    assert (low[present] < high[present]).all()
    if forecast.fallback is not None:
        assert not forecast.fallback[~tested].any()
    assert len(made.fitted) == len(FOLDS)


@every_model
def test_the_future_moves_no_earlier_bit(name):
    """Prices after a row changed and bars gone; a constant learns of it at the next refit."""
    rng = np.random.default_rng(3)
    close = panel().close.copy()
    later = close[CHANGED + 1 :]
    later *= np.exp(rng.normal(0, 0.2, later.shape))
    later[rng.random(later.shape) < 0.1] = np.nan
    other = walk(forecaster_of(name), problem_of(name, replace(panel(), close=close)), FOLDS)
    before = walked(name)
    assert_same(before.forecast, other.forecast, slice(0, CHANGED + 1))
    for ours, theirs in zip(before.fitted, other.fitted, strict=True):
        assert ours.manifest == theirs.manifest
    assert not np.array_equal(before.forecast.mean, other.forecast.mean, equal_nan=True) or (
        not np.array_equal(before.forecast.variance, other.forecast.variance, equal_nan=True)
    )


@every_model
def test_a_second_walk_gives_the_same_bytes(name):
    assert_same(walked(name).forecast, walk(forecaster_of(name), problem_of(name), FOLDS).forecast)


@every_model
def test_a_stored_model_forecasts_the_same_bytes(name, tmp_path):
    fitted, problem = walked(name).fitted[-1], problem_of(name)
    fitted.save(tmp_path / "model")
    loaded = load_fitted(tmp_path / "model")
    kept, whole = dict(loaded.manifest), dict(fitted.manifest)
    assert kept["kind"] == name.split()[-1]
    assert json.loads(json.dumps(whole)) == {key: kept[key] for key in whole}
    rows = range(300, SESSIONS)
    assert_same(fitted.predict(problem, rows), loaded.predict(problem, rows))
    (tmp_path / "model" / "manifest.json").write_text("{}")
    with pytest.raises(ModelError):
        load_fitted(tmp_path / "model")


@every_model
def test_a_fitted_model_gives_the_forecasts_of_the_walk(name):
    """With later data, and with nothing later than the row that is forecast."""
    made, problem = walked(name), problem_of(name)
    tolerance = ROUNDING if tensors(name) else {}
    for fitted, fold in zip(made.fitted, FOLDS, strict=True):
        rows = rows_of(fold)
        found = fitted.predict(problem, rows)
        assert_same(found, made.forecast, slice(rows.start, rows.stop), **tolerance)
        assert np.isnan(found.mean[: rows.start]).all()
        assert np.isnan(found.mean[rows.stop :]).all()
        row = fold.test_first + 20
        live = fitted.predict(problem.until(row), range(row, row + 1))
        assert_same(live, made.forecast, slice(row, row + 1), **tolerance)


@every_model
def test_what_is_fitted_knows_nothing_after_the_origin(name):
    problem, fold = problem_of(name), FOLDS[0]
    rows = range(fold.origin, fold.origin + 10)
    whole, cut = (forecaster_of(name).fit(p, fold) for p in (problem, problem.until(fold.origin)))
    assert_same(whole.predict(problem, rows), cut.predict(problem, rows))


@every_model
def test_one_asset_and_an_asset_with_hardly_a_bar_are_forecast_or_left_out(name):
    alone = panel().select(["S2"])
    folds = [Fold(0, 250, 0, 250, 290)]
    forecast = walk(forecaster_of(name), problem_of(name, alone), folds).forecast
    assert np.isfinite(forecast.mean[250:291][alone.has_bar[250:291]]).all()
    close = panel().close.copy()
    close[:240, 0] = np.nan  # ten bars before the origin
    young = walk(forecaster_of(name), problem_of(name, replace(panel(), close=close)), folds)
    assert np.isnan(young.forecast.mean[250:260, 0]).all()
    assert np.isfinite(young.forecast.mean[250:260, 2]).any()


@every_model
def test_prices_that_do_not_fit_are_refused(name):
    fitted, problem = walked(name).fitted[-1], problem_of(name)
    last = range(SESSIONS - 1, SESSIONS)
    other = make_config({**options_of(name).model_dump(mode="json"), "horizons": [1, 2]})
    with pytest.raises(ModelError, match="horizons"):
        fitted.predict(make_problem(panel(), other), last)
    with pytest.raises(ModelError, match="after the last session"):
        fitted.predict(problem.until(299), range(299, 300))
    late = panel().between(panel().index[330], None)
    with pytest.raises(ModelError, match="start at"):
        fitted.predict(problem_of(name, late) if not tensors(name) else _cut(problem, 330), last)


def _cut(problem, first):
    """The problem without its first sessions, features as they were."""
    features, labels = problem.features, problem.labels
    return replace(
        problem,
        prices=problem.prices.between(problem.prices.index[first], None),
        features=replace(
            features,
            values=features.values[:, first:],
            valid=features.valid[:, first:],
            reference_variance=features.reference_variance[:, first:],
            index=features.index[first:],
        ),
        labels=replace(labels, values=labels.values[first:], known_at=labels.known_at[first:]),
    )


@every_model
def test_every_kind_says_what_it_is(name):
    kind = find_kind(name.split()[-1])
    assert kind.label
    assert kind.meaning
    assert not kind.meaning.endswith(".")
    assert forecaster_of(name).name == kind.name


def test_a_mixture_has_the_moments_of_its_members(tmp_path):
    mixed, ewma, garch = (walked(n).forecast for n in ("ewma+gjr_garch_t", "ewma", "gjr_garch_t"))
    mean = (ewma.mean + garch.mean) / 2
    np.testing.assert_allclose(mixed.mean, mean, rtol=1e-12, atol=1e-18)
    spread = ((ewma.mean - mean) ** 2 + (garch.mean - mean) ** 2) / 2
    inside = (ewma.variance + garch.variance) / 2
    np.testing.assert_allclose(mixed.variance, inside + spread, rtol=1e-12)
    np.testing.assert_allclose(mixed.epistemic_variance, spread, rtol=1e-9, atol=1e-20)
    fitted = walked("ewma+gjr_garch_t").fitted[0]
    assert isinstance(fitted, FittedMixture)
    fitted.save(tmp_path / "m")
    assert [m.manifest["kind"] for m in load_fitted(tmp_path / "m").members] == [
        "ewma", "gjr_garch_t",
    ]  # fmt: skip


def test_recalibration_is_a_wrapper_whose_settings_are_stored_with_the_model(tmp_path):
    plain, wide = walked("ewma"), walked("recalibrated ewma")
    assert wide.forecast.scale is not None
    np.testing.assert_allclose(
        wide.forecast.variance, plain.forecast.variance * wide.forecast.scale**2, rtol=1e-12
    )
    wide.fitted[0].save(tmp_path / "m")
    loaded = load_fitted(tmp_path / "m")
    assert isinstance(loaded, RecalibratedFitted)
    assert loaded.settings == wide.fitted[0].settings


def test_unknown_kinds_are_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match=r"no model 'ewna': did you mean 'ewma'"):
        find_kind("ewna")
    with pytest.raises(ConfigError, match="names a model twice"):
        find_kind("ewma+ewma")
    with pytest.raises(ConfigError, match="no model 'arima'"):
        find_kind("ewma+arima")
    with pytest.raises(ConfigError, match="cannot be called 'gru'"):
        registry.register(replace(documented()["weekday_variance"], name="gru"))


def test_a_folder_of_a_kind_that_is_not_registered_is_refused(tmp_path, monkeypatch):
    walked("ewma").fitted[0].save(tmp_path / "m")
    monkeypatch.setattr(registry, "_shipped", dict)
    with pytest.raises(ModelError, match="kind 'ewma', which is not registered here"):
        load_fitted(tmp_path / "m")


class _Entry:
    """Stands for the entry point of another package."""

    def __init__(self, name, loaded):
        self.name, self.value, self._loaded = name, "theirs:KIND", loaded

    def load(self):
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


def test_other_packages_bring_kinds_by_entry_point(monkeypatch):
    theirs = replace(documented()["weekday_variance"], name="theirs")
    found = [_Entry("theirs", theirs)]
    monkeypatch.setattr(registry, "entry_points", lambda **_: found)
    monkeypatch.setattr(registry, "_of_other_packages", registry._of_other_packages.__wrapped__)
    assert list(kinds())[-3:] == ["theirs", "seasonal_naive", "weekday_variance"]
    assert find_kind("theirs") is theirs
    for wrong, told in ((ValueError("broken"), "ValueError: broken"), (theirs, "of that name")):
        found[:] = [_Entry("other", wrong)]
        with pytest.raises(ConfigError, match=told):
            find_kind("other")


def test_a_model_of_one_series_takes_fewer_than_40_lines():
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.S)[0]
    assert len(code.splitlines()) < 40
