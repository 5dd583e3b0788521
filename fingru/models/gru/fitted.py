"""A fitted fold: the weights of its members, its standardiser, and what it was fitted to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fingru import __version__
from fingru.arrays import finite_or_none
from fingru.errors import ModelError
from fingru.features.feature_set import FeatureSet
from fingru.forecast.problem import Fold, ForecastProblem
from fingru.models.gru.diagnostics import alarms
from fingru.models.gru.network import MultiScaleGRU, NetworkShape
from fingru.models.gru.plan import TrainingPlan
from fingru.models.gru.settings import ModelSettings, TrainingSettings
from fingru.models.gru.training import TrainedStack


@dataclass(frozen=True)
class FittedFold:
    """The models of one fold.

    Parameters
    ----------
    weights
        By parameter name, leading dimension members.
    mean, std
        Standardiser of each member, (members, S, F) float32.
    manifest
        Plain values for JSON: fold, origin, settings, features, horizons, data hash, scores,
        diagnostics of each member, seed, versions.
    """

    weights: dict[str, NDArray[np.float32]]
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    manifest: dict[str, Any]

    @property
    def model(self) -> ModelSettings:
        """Settings of the architecture."""
        return ModelSettings(**self.manifest["model"])

    @property
    def training(self) -> TrainingSettings:
        """Settings of the training."""
        return TrainingSettings(**self.manifest["training"])

    @property
    def members(self) -> int:
        """Members of the ensemble."""
        return len(self.mean)


def fold_identity(problem: ForecastProblem, fold: Fold, plan: TrainingPlan) -> dict[str, Any]:
    """What decides the weights of a fold, as plain values.

    The data hash covers the prices up to the origin: a model is a function of the past alone.
    """
    features = problem.features
    return {
        "fold": fold.number,
        "origin": str(problem.prices.index[fold.origin]),
        "train_first": str(problem.prices.index[fold.train_first]),
        "model": plan.model.model_dump(),
        "training": plan.training.model_dump(),
        "features": list(features.names),
        "feature_fingerprint": features.fingerprint,
        "scales": list(features.scales),
        "horizons": list(problem.labels.horizons),
        "data_sha256": problem.prices.until(fold.origin).sha256,
        "seed": plan.seed,
        "versions": {"fingru": __version__, "torch": torch.__version__},
    }


def split_folds(stack: TrainedStack, identities: Sequence[dict[str, Any]]) -> list[FittedFold]:
    """Cut a trained stack, whose models are ordered by fold and member, into its folds."""
    members = len(stack.mean) // len(identities)
    fitted = []
    for i, identity in enumerate(identities):
        rows = slice(i * members, (i + 1) * members)
        scores = {
            "validation_loss": [finite_or_none(x) for x in stack.best_loss[rows]],
            "best_step": [int(x) for x in stack.best_step[rows]],
        }
        inside = [
            _in_order({**one, "alarms": alarms(one, identity["features"], identity["scales"])})
            for one in stack.diagnostics[rows]
        ]
        weights = {name: values[rows].copy() for name, values in stack.weights.items()}
        fitted.append(
            FittedFold(
                weights,
                stack.mean[rows].copy(),
                stack.std[rows].copy(),
                {**identity, "scores": scores, "diagnostics": inside},
            )
        )
    return fitted


def build_network(fitted: Sequence[FittedFold], device: torch.device) -> MultiScaleGRU:
    """Network of all members of these folds, in their order, ready to forecast."""
    one = fitted[0]
    shape = NetworkShape(
        models=sum(f.members for f in fitted),
        scales=tuple(one.manifest["scales"]),
        features=one.mean.shape[-1],
        horizons=len(one.manifest["horizons"]),
    )
    network = MultiScaleGRU(shape, _runs_on(one.model, device))
    network.load_state_dict(
        {k: torch.from_numpy(np.concatenate([f.weights[k] for f in fitted])) for k in one.weights}
    )
    return network.to(device).eval()


def _runs_on(model: ModelSettings, device: torch.device) -> ModelSettings:
    """The settings, without a kernel of another device: that is how, not what was trained."""
    belongs_to = {"numba": "cpu", "triton": "cuda"}.get(model.backend, device.type)
    return model if belongs_to == device.type else model.model_copy(update={"backend": "auto"})


def check_fits(
    fitted: FittedFold, features: FeatureSet, horizons: tuple[int, ...] | None = None
) -> None:
    """Refuse features or horizons other than those the model was fitted to.

    Raises
    ------
    ModelError
        Names the first difference and the mend.
    """
    found = {
        "features": list(features.names),
        "scales": list(features.scales),
        "feature_fingerprint": features.fingerprint,
    }
    if horizons is not None:
        found["horizons"] = list(horizons)
    for key, value in found.items():
        if fitted.manifest[key] != value:
            raise ModelError(
                f"the model was fitted to {key} {fitted.manifest[key]}, not {value}",
                "use the configuration stored with the model, or fit a new one",
            )


def _in_order(values: dict[str, Any]) -> dict[str, Any]:
    """With keys sorted at every level, as a fold comes back from its checkpoint."""
    ordered: dict[str, Any] = json.loads(json.dumps(values, sort_keys=True))
    return ordered


def check_weights(fitted: FittedFold, where: str) -> None:
    """Refuse weights whose names or shapes are not those of the manifest's architecture.

    Raises
    ------
    ModelError
        Names the first parameter that does not fit.
    """
    shape = NetworkShape(
        models=fitted.model.members,
        scales=tuple(fitted.manifest["scales"]),
        features=len(fitted.manifest["features"]),
        horizons=len(fitted.manifest["horizons"]),
    )
    with torch.device("meta"):
        expected = MultiScaleGRU(shape, fitted.model).state_dict()
    for name in sorted(expected.keys() | fitted.weights.keys()):
        wanted = tuple(expected[name].shape) if name in expected else "no such parameter"
        found = fitted.weights[name].shape if name in fitted.weights else "nothing"
        if wanted != found:
            raise ModelError(
                f"{where}: {name} should be {wanted} and is {found}",
                "weights and manifest are of different models; restore both or fit again",
            )
