"""What is told of a network from inside, against arithmetic on its own weights."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from fingru.models.gru.diagnostics import GATE_BINS, GradientNorms, alarms, diagnose
from fingru.models.gru.forecaster import GRUForecaster
from fingru.models.gru.network import MultiScaleGRU, NetworkShape
from fingru.models.gru.settings import ModelSettings

SHAPE = NetworkShape(models=2, scales=(1, 3), features=4, horizons=1)


@pytest.fixture
def network():
    made = MultiScaleGRU(SHAPE, ModelSettings(hidden_size=5, fusion=6, backend="torch"))
    made.reset([torch.Generator().manual_seed(m) for m in range(2)])
    return made


@pytest.fixture
def inputs():
    x = torch.randn(2, 3, 40, 2, 4, generator=torch.Generator().manual_seed(9))
    mask = torch.ones(2, 3, 40, dtype=torch.bool)
    mask[:, 0, :25] = False
    return x * mask[..., None, None], mask


def gates_by_hand(network, scale_index, x, mask):
    """Reset and update gates of model 0, bar by bar, from the equations of ``torch.nn.GRU``."""
    step, gru = SHAPE.scales[scale_index], network.scales[scale_index]
    w_ih, w_hh, b_ih, b_hh = (p[0].detach() for p in gru.layer(0))
    bars, k = x.shape[2], gru.hidden
    states, found = {}, torch.zeros(2, x.shape[1], bars, k)
    for b in range(x.shape[1]):
        for t in range(bars):
            h = states.get((b, t - step), torch.zeros(k))
            given = w_ih @ x[0, b, t, scale_index] + b_ih
            kept = w_hh @ h + b_hh
            r, z = torch.sigmoid((given + kept)[: 2 * k]).split(k)
            found[0, b, t], found[1, b, t] = r, z
            new = torch.tanh(given[2 * k :] + r * kept[2 * k :])
            states[b, t] = torch.where(mask[0, b, t], (1 - z) * new + z * h, h)
    return found


def test_gate_histograms_are_those_of_the_gates(network, inputs):
    x, mask = inputs
    found = diagnose(network, inputs, skip=10, bound=5.0)[0]
    for i, scale in enumerate(SHAPE.scales):
        by_hand = gates_by_hand(network, i, x, mask)[:, :, 10:]
        for g, name in enumerate(("reset", "update")):
            values = by_hand[g][mask[0, :, 10:]].flatten().numpy()
            counts, _ = np.histogram(values, bins=GATE_BINS, range=(0, 1))
            shares = found["gates"][str(scale)][name]
            assert shares == pytest.approx(counts / counts.sum(), abs=2 / values.size), name
            assert sum(shares) == pytest.approx(1.0)


def test_outputs_weights_and_inputs_by_hand(network, inputs):
    x, mask = inputs
    x = x.clone()
    x[1, 1:, 10:25, 1, 2] = -5.0  # 15 of the 30 bars of two sequences, none of the third's
    found = diagnose(network, (x, mask), skip=10, bound=5.0)
    with torch.no_grad():
        forecast = network(x, mask, skip=10)
    rows = mask[1, :, 10:]
    assert found[1]["mean_spread"] == pytest.approx(
        float(forecast.mean[1][rows].std(correction=0))
    )
    assert found[1]["df"] == pytest.approx(float(forecast.df[1][rows].median()))
    assert found[1]["clipped_inputs"] == {"share": 30 / 75, "scale": 1, "feature": 2}
    squares = sum(float(p[1].detach().square().sum()) for p in network.scales[0].parameters())
    assert found[1]["weight_norms"]["scale_1"] == pytest.approx(np.sqrt(squares), rel=1e-6)
    assert set(found[0]["weight_norms"]) == {"scale_1", "scale_3", "direct", "fusion", "heads"}
    json.dumps(found, allow_nan=False)


def test_an_untrained_head_and_a_drifted_input_raise_the_alarm(network, inputs):
    one = diagnose(network, inputs, skip=10, bound=5.0)[0]  # heads start at zero
    assert one["log_variance_spread"] == 0.0
    names, scales = ["a", "b", "c", "d"], SHAPE.scales
    assert [text.split(":")[0] for text in alarms(one, names, scales)] == [
        "the forecast variance hardly moves"
    ]
    moving = {**one, "log_variance_spread": 0.2}
    assert alarms(moving, names, scales) == []
    drifted = {**moving, "clipped_inputs": {"share": 0.3, "scale": 1, "feature": 2}}
    (text,) = alarms(drifted, names, scales)
    assert "30% of c at scale 3" in text


def test_gradient_norms_count_what_moved():
    norms = GradientNorms(2, bound=1.0)
    norms.add(np.array([0.5, 3.0]), np.array([True, True]))
    norms.add(np.array([1.5, 9.0]), np.array([True, False]))
    norms.add(np.array([np.nan, 1.0]), np.array([True, True]))
    assert norms.of(0) == {"mean": 1.0, "largest": 1.5, "clipped": 0.5}
    assert norms.of(1) == {"mean": 2.0, "largest": 3.0, "clipped": 0.5}


def fitted(problem, folds, model_settings, training_settings):
    forecaster = GRUForecaster(model_settings, training_settings, seed=1, device="cpu")
    return forecaster.walk(problem, folds).fitted


def test_every_member_of_every_fold_is_diagnosed(
    problem, folds, model_settings, training_settings
):
    for fold in fitted(problem, folds, model_settings, training_settings):
        members = fold.manifest["diagnostics"]
        assert len(members) == model_settings.members
        for one in members:
            assert one["gradient_norms"]["largest"] >= one["gradient_norms"]["mean"] > 0
            assert isinstance(one["alarms"], list)
        json.dumps(members, allow_nan=False)


def test_diagnostics_know_nothing_after_the_origin(
    problem, make_problem, folds, model_settings, training_settings
):
    close = problem.prices.close.copy()
    close[folds[1].origin + 1 :] *= 1.3
    changed = make_problem(replace(problem.prices, close=close))
    before, after = (
        fitted(p, folds[:2], model_settings, training_settings) for p in (problem, changed)
    )
    for ours, theirs in zip(before, after, strict=True):
        assert ours.manifest["diagnostics"] == theirs.manifest["diagnostics"]
