"""A tiny forecasting problem: three plain features at two scales, and settings to match."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fingru.features.feature_set import FeatureSet
from fingru.forecast.labels import make_labels
from fingru.forecast.problem import Fold, ForecastProblem
from fingru.models.gru.plan import TrainingPlan
from fingru.models.gru.sequences import build_bank
from fingru.models.gru.settings import ModelSettings, TrainingSettings

SCALES, WARMUP, DECAY = (1, 4), 30, 0.94


def own_features(prices) -> FeatureSet:
    """Return, its size and a volatility ratio over s bars, from each asset's own bars."""
    shape = (prices.n_assets, prices.n_sessions)
    values = np.zeros((*shape, len(SCALES), 3), dtype=np.float32)
    valid, reference = np.zeros(shape, dtype=bool), np.full(shape, np.nan)
    for a in range(prices.n_assets):
        rows = np.flatnonzero(prices.has_bar[:, a])
        r = np.nan_to_num(prices.log_returns[rows, a])
        variance = np.zeros(len(rows))
        for i in range(len(rows)):
            past = variance[i - 1] if i else 1e-4
            variance[i] = DECAY * past + (1 - DECAY) * r[i] ** 2
        total = np.concatenate([np.zeros(1), np.cumsum(r)])
        for k, s in enumerate(SCALES):
            first = np.maximum(np.arange(len(rows)) + 1 - s, 0)
            z = (total[1:] - total[first]) / np.sqrt(variance * s)
            ratio = np.log(variance / np.roll(variance, s))
            values[a, rows, k] = np.stack([z, np.abs(z), ratio], axis=-1)
        valid[a, rows[WARMUP:]] = True
        reference[a, rows] = variance
    values[~valid] = 0
    return FeatureSet(
        values=values,
        valid=valid,
        reference_variance=reference,
        names=("z", "size", "ratio"),
        scales=SCALES,
        index=prices.index,
        assets=prices.assets,
        warmup_bars=WARMUP,
        fingerprint="own-features-1",
    )


@pytest.fixture
def make_problem():
    """From prices to a problem with the tiny features."""

    def make(prices, horizons=(1, 5)) -> ForecastProblem:
        return ForecastProblem(prices, own_features(prices), make_labels(prices, horizons))

    return make


@pytest.fixture
def problem(prices_with_gaps, make_problem) -> ForecastProblem:
    return make_problem(prices_with_gaps)


@pytest.fixture
def folds() -> list[Fold]:
    """Three folds over 600 sessions, the last one rolling and shorter."""
    return [Fold(0, 250, 0, 250, 349), Fold(1, 350, 0, 350, 449), Fold(2, 450, 100, 450, 519)]


@pytest.fixture
def model_settings() -> ModelSettings:
    return ModelSettings(hidden_size=5, fusion=6, members=2, backend="torch")


@pytest.fixture
def training_settings() -> TrainingSettings:
    return TrainingSettings(
        steps=12,
        enough_labels=1,
        batch_size=3,
        seq_len=48,
        burn_in=12,
        context_bars=40,
        learning_rate=0.02,
        warmup_steps=2,
        val_every=2,
        patience=2,
        ema_decay=0.5,
        finetune_steps=0,
        dropout=0.0,
        threads=1,
    )


@pytest.fixture
def make_plan(problem, model_settings, training_settings):
    def make(**changes):
        return TrainingPlan(
            model=model_settings,
            training=training_settings.model_copy(update=changes),
            scales=problem.features.scales,
            features=len(problem.features.names),
            horizons=problem.labels.horizons,
            warmup_bars=problem.features.warmup_bars,
            seed=4,
            device=torch.device("cpu"),
        )

    return make


@pytest.fixture
def bank(problem):
    """Sequences with a reference variance four times too high: there is something to learn."""
    features = replace(
        problem.features, reference_variance=4 * problem.features.reference_variance
    )
    return build_bank(replace(problem, features=features))
