"""A fitted fold: the weights of its members, its standardiser, and what it was fitted to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fingru import __version__
from fingru.arrays import finite_or_none
from fingru.errors import ModelError
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold, ForecastProblem
from fingru.kernels.threads import compute_threads
from fingru.models.folder import read_arrays, save_parts
from fingru.models.gru.diagnostics import alarms
from fingru.models.gru.network import MultiScaleGRU, NetworkShape
from fingru.models.gru.plan import TrainingPlan
from fingru.models.gru.prediction import as_forecast, choose_device, empty_columns, forecast_folds
from fingru.models.gru.sequences import build_bank
from fingru.models.gru.settings import ModelSettings, TrainingSettings
from fingru.models.gru.training import HistoryRow, TrainedStack
from fingru.models.protocol import check_values, origin_row
from fingru.settings import with_current_names


@dataclass(frozen=True)
class FittedGRU:
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
    device: str = "auto"

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

    def predict(self, problem: ForecastProblem, rows: range) -> Forecast:
        """Forecast from the origins ``rows``, as ``Fitted``; the state starts before the origin.

        Known at: each row at its own close, given weights fitted at the model's origin.
        """
        features = problem.features
        found = {
            "features": list(features.names),
            "scales": list(features.scales),
            "feature_fingerprint": features.fingerprint,
            "horizons": list(problem.labels.horizons),
        }
        check_values(self.manifest, found)
        first = origin_row(self.manifest, problem.prices.index)
        fold = Fold(self.manifest["fold"], first, 0, first, rows.stop - 1)
        out = empty_columns(problem, self.model)
        with compute_threads(self.training.threads):
            forecast_folds(build_bank(problem), [self], [fold], out, choose_device(self.device))
        if rows.start > first:
            for values in out.values():
                values[: rows.start] = np.nan
        return as_forecast(problem, out)

    def save(self, folder: Path) -> None:
        """Write ``model.safetensors`` and ``manifest.json`` into ``folder``."""
        named = {"kind": "gru", **self.manifest, "standardiser": "standardiser.mean, .std"}
        save_parts(folder, named, _arrays(self))


def fold_identity(
    problem: ForecastProblem, fold: Fold, plan: TrainingPlan, first: FittedGRU | None
) -> dict[str, Any]:
    """What decides the weights of a fold that goes on from ``first``, as plain values.

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
        "data_sha256": problem.data_sha256(fold.origin),
        "seed": plan.seed,
        "versions": {"fingru": __version__, "torch": torch.__version__},
        "started_from": None if first is None else first.manifest["origin"],
    }


def split_folds(stack: TrainedStack, identities: Sequence[dict[str, Any]]) -> list[FittedGRU]:
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
            FittedGRU(
                weights,
                stack.mean[rows].copy(),
                stack.std[rows].copy(),
                {**identity, "scores": scores, "diagnostics": inside},
            )
        )
    return fitted


def _in_order(values: dict[str, Any]) -> dict[str, Any]:
    """With keys sorted at every level, as a fold comes back from its checkpoint."""
    ordered: dict[str, Any] = json.loads(json.dumps(values, sort_keys=True))
    return ordered


def check_weights(fitted: FittedGRU, where: str) -> None:
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


def to_state(fitted: FittedGRU, history: Sequence[HistoryRow]) -> dict[str, NDArray[Any]]:
    """Flatten a fitted fold and its history."""
    manifest = json.dumps(fitted.manifest, sort_keys=True).encode()
    return {
        **_arrays(fitted),
        "manifest": np.frombuffer(manifest, dtype=np.uint8),
        "history.step": np.array([[r.member, r.step] for r in history], dtype=np.int64),
        "history.loss": np.array([[r.train_loss, r.validation_loss] for r in history]),
    }


def from_state(
    state: Mapping[str, NDArray[Any]], identity: Mapping[str, Any]
) -> tuple[FittedGRU, list[HistoryRow]]:
    """Rebuild a fitted fold and its history, and check that they are of this very run.

    Raises
    ------
    ModelError
        If settings, features, data or seed were others.
    """
    manifest = json.loads(state["manifest"].tobytes())
    for section in ("model", "training"):  # kept before a setting was renamed
        manifest[section] = with_current_names(section, manifest[section])
    for key, value in identity.items():
        if manifest.get(key) != value:
            raise ModelError(
                f"the checkpoint of fold {identity['fold']} was made with other {key}",
                "resume with the configuration and data of the run, or start a new run",
            )
    steps, losses = state["history.step"].tolist(), state["history.loss"].tolist()
    history = [
        HistoryRow(identity["fold"], member, step, train, validation)
        for (member, step), (train, validation) in zip(steps, losses, strict=True)
    ]
    return _fitted(state, manifest), history


def _arrays(fitted: FittedGRU) -> dict[str, NDArray[Any]]:
    weights = {f"weights.{name}": values for name, values in fitted.weights.items()}
    return {**weights, "standardiser.mean": fitted.mean, "standardiser.std": fitted.std}


def _fitted(
    state: Mapping[str, NDArray[Any]], manifest: dict[str, Any], device: str = "auto"
) -> FittedGRU:
    weights = {k.removeprefix("weights."): v for k, v in state.items() if k.startswith("weights.")}
    mean, std = (state[f"standardiser.{part}"] for part in ("mean", "std"))
    return FittedGRU(weights, mean, std, manifest, device)


def load(folder: Path, manifest: Mapping[str, Any], device: str = "auto") -> FittedGRU:
    """Rebuild a stored model.

    Raises
    ------
    ModelError
        If the weights are damaged, or of another model than the manifest.
    """
    fitted = _fitted(read_arrays(folder), dict(manifest), device)
    check_weights(fitted, str(folder))
    TrainingSettings(**manifest["training"])
    return fitted
