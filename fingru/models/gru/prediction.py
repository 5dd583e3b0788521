"""Forecasts of trained folds: the recurrence run over their test ranges, members mixed.

The state starts at zero ``context_bars`` of the asset's own bars before the fold's origin (or at
its first usable bar) and runs on from there: training, backtest and live prediction are the same
recurrence with the same warm-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from fingru.arrays import BoolArray, FloatArray, IntArray
from fingru.errors import ModelError
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold, ForecastProblem
from fingru.models.ensemble import mixture
from fingru.models.gru.likelihood import Distribution
from fingru.models.gru.network import MultiScaleGRU, NetworkShape
from fingru.models.gru.sequences import DeviceBank, SequenceBank, tail_windows
from fingru.models.gru.settings import ModelSettings

if TYPE_CHECKING:
    from fingru.models.gru.fitted import FittedGRU

ASSET_BLOCK = 8
"""Assets forecast at a time; bounds memory."""


Columns = dict[str, FloatArray]
"""Arrays of a forecast by name, as ``Forecast.from_columns`` takes them."""


def empty_columns(problem: ForecastProblem, settings: ModelSettings) -> Columns:
    """Columns of all NaN, to be filled fold by fold."""
    shape = (*problem.prices.close.shape, len(problem.labels.horizons))
    names = ["mean", "variance"]
    names += [] if settings.likelihood == "gaussian" else ["df"]
    names += ["skew"] if settings.likelihood == "skewed_t" else []
    names += ["epistemic_variance"] if settings.members > 1 else []
    return {name: np.full(shape, np.nan) for name in names}


def as_forecast(problem: ForecastProblem, columns: Columns) -> Forecast:
    """The forecast that filled columns hold."""
    prices = problem.prices
    return Forecast.from_columns(
        "gru", prices.index, prices.assets, problem.labels.horizons, columns
    )


def build_network(fitted: Sequence[FittedGRU], device: torch.device) -> MultiScaleGRU:
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


@torch.no_grad()
def forecast_folds(
    bank: SequenceBank,
    fitted: Sequence[FittedGRU],
    folds: Sequence[Fold],
    out: Columns,
    device: torch.device,
) -> None:
    """Write the forecasts of these folds' test ranges into ``out``.

    Known at: each row at its own close, given weights fitted at the fold's origin.
    """
    training = fitted[0].training
    network = build_network(fitted, device)
    tensors = DeviceBank(bank, device)
    mean, std = (
        torch.from_numpy(np.concatenate([getattr(f, name) for f in fitted])).to(device)
        for name in ("mean", "std")
    )
    after = max(f.test_last - f.test_first for f in folds)
    windows = [tail_windows(bank, f.test_first, after, f.test_last) for f in folds]
    members = fitted[0].members
    starts = np.array([fold.test_first for fold in folds])[:, None, None]
    for first in range(0, bank.n_assets, ASSET_BLOCK):
        block = slice(first, first + ASSET_BLOCK)
        cut = [w.positions(training.context_bars + after) for w in windows]
        at: IntArray = np.stack([position[block] for position, _ in cut])
        inside = np.stack([within[block] for _, within in cut])
        each = torch.from_numpy(at).to(device).repeat_interleave(members, dim=0)
        present = torch.from_numpy(inside).to(device).repeat_interleave(members, dim=0)
        x, mask = tensors.inputs(each, present, mean, std, training.input_clip)
        forecast = network(x, mask, skip=training.context_bars - 1)
        mixture = mix_members(forecast, members)
        seen = mask[::members, :, training.context_bars - 1 :].cpu().numpy()
        # An asset without a bar at the origin has its last one before it: that is not forecast.
        seen &= bank.rows[at[:, :, training.context_bars - 1 :]] >= starts
        _write(
            out, bank, mixture, horizons=fitted[0].manifest["horizons"],
            at=at[:, :, training.context_bars - 1 :], seen=seen, first_asset=first,
        )  # fmt: skip


def mix_members(forecast: Distribution, members: int) -> Columns:
    """Columns of the equal ``mixture`` of the members of each fold, arrays (folds, ...)."""

    def split(values: Tensor) -> FloatArray:
        array: FloatArray = torch.broadcast_to(values, forecast.mean.shape).double().cpu().numpy()
        return array.reshape(-1, members, *array.shape[1:])

    df, skew = (None if part is None else split(part) for part in (forecast.df, forecast.skew))
    return mixture(split(forecast.mean), split(forecast.variance), df, skew, axis=1)


def _write(
    out: Columns,
    bank: SequenceBank,
    mixture: Columns,
    *,
    horizons: Sequence[int],
    at: IntArray,
    seen: BoolArray,
    first_asset: int,
) -> None:
    """Scale by the reference volatility and store at (session, asset)."""
    _, asset, _ = np.nonzero(seen)
    position = at[seen]
    cell = (bank.rows[position], asset + first_asset)
    scale = bank.volatility[position][:, None] * np.sqrt(np.asarray(horizons, dtype=float))
    unit = {"mean": scale, "variance": scale**2, "epistemic_variance": scale**2}
    for name, values in out.items():
        values[cell] = mixture[name][seen] * unit.get(name, 1.0)


def choose_device(name: str) -> torch.device:
    """Device by name; ``auto`` is CUDA where there is one, else the CPU.

    Raises
    ------
    ModelError
        If CUDA is asked for and absent.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ModelError(
            f"there is no CUDA device that torch {torch.__version__} can use",
            "use device auto or cpu, or install a CUDA build of torch",
        )
    return torch.device("cuda" if name == "auto" and available else name.replace("auto", "cpu"))
