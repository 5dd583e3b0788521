"""Forecasts of trained folds: the recurrence run over their test ranges, members mixed.

The state starts at zero ``context_bars`` of the asset's own bars before the fold's origin (or at
its first usable bar) and runs on from there: training, backtest and live prediction are the same
recurrence with the same warm-up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fingru.arrays import BoolArray, FloatArray, IntArray
from fingru.errors import ModelError
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold, ForecastProblem
from fingru.kernels.threads import compute_threads
from fingru.models.gru.fitted import FittedFold, build_network, check_fits
from fingru.models.gru.likelihood import Distribution, Gaussian
from fingru.models.gru.sequences import DeviceBank, SequenceBank, build_bank, tail_windows
from fingru.models.gru.settings import ModelSettings

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


@torch.no_grad()
def forecast_folds(
    bank: SequenceBank,
    fitted: Sequence[FittedFold],
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
        _write(
            out, bank, mixture, horizons=fitted[0].manifest["horizons"],
            at=at[:, :, training.context_bars - 1 :], seen=seen, first_asset=first,
        )  # fmt: skip


def mix_members(forecast: Distribution, members: int) -> Columns:
    """Columns of the equal mixture of members, arrays (folds, ...).

    Law of total variance: ``variance = mean(variance_m) + mean(mean_m^2) - mean^2``, of which the
    last two are the epistemic part. Degrees of freedom: ``1 / df = mean(1 / df_m)``, so that one
    heavy-tailed member is not averaged away by a nearly Gaussian one. Skew: the mean.
    """

    def split(values: Tensor) -> FloatArray:
        array: FloatArray = values.double().cpu().numpy()
        return array.reshape(-1, members, *array.shape[1:])

    means, variances = split(forecast.mean), split(forecast.variance)
    mean = means.mean(axis=1)
    epistemic = np.square(means - mean[:, None]).mean(axis=1)
    variance = variances.mean(axis=1) + epistemic
    mixed = {"mean": mean, "variance": variance, "epistemic_variance": epistemic}
    if isinstance(forecast, Gaussian):
        return mixed
    df = split(torch.broadcast_to(forecast.df, forecast.mean.shape))
    mixed["df"] = 1 / (1 / df).mean(axis=1)
    if forecast.skew is not None:
        skew = split(torch.broadcast_to(forecast.skew, forecast.mean.shape))
        mixed["skew"] = skew.mean(axis=1)
    return mixed


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


def predict_latest(fitted: FittedFold, problem: ForecastProblem, device: str = "auto") -> Forecast:
    """Forecast from the last session of ``problem``; every earlier row is NaN.

    Raises
    ------
    ModelError
        If the model does not fit the features or was fitted after the last session.
    """
    columns = predict_since(fitted, problem, device).columns()
    for values in columns.values():
        values[:-1] = np.nan
    return as_forecast(problem, columns)


def predict_since(fitted: FittedFold, problem: ForecastProblem, device: str = "auto") -> Forecast:
    """Forecast from the model's origin and every later session; every earlier row is NaN.

    Known at: each row at its own close, given weights fitted at the model's origin.

    Raises
    ------
    ModelError
        If the model does not fit the features or was fitted after the last session.
    """
    check_fits(fitted, problem.features, problem.labels.horizons)
    last = problem.prices.n_sessions - 1
    row = _origin_row(fitted, problem.prices.index)
    out = empty_columns(problem, fitted.model)
    with compute_threads(fitted.training.threads):
        fold = Fold(fitted.manifest["fold"], row, 0, row, last)
        forecast_folds(build_bank(problem), [fitted], [fold], out, choose_device(device))
    return as_forecast(problem, out)


def _origin_row(fitted: FittedFold, index: pd.DatetimeIndex) -> int:
    """Row of the last session that the model has learnt from."""
    origin = pd.Timestamp(fitted.manifest["origin"])
    if origin > index[-1]:
        raise ModelError(
            f"the model was fitted at {origin}, after the last session {index[-1]}",
            "update the prices, or choose an older model",
        )
    row = int(index.searchsorted(origin, side="right")) - 1
    if row < 0:
        raise ModelError(
            f"the prices start at {index[0]}, after the model's origin {origin}",
            "give the history that the model was fitted on",
        )
    return row


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
