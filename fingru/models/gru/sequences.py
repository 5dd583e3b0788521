"""Ragged histories: each asset's own bars laid end to end, and windows cut out of them.

A window is a run of positions in this bank. Positions before an asset's first bar or outside the
allowed range are masked, so an asset listed late simply starts from the zero state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fingru.arrays import BoolArray, FloatArray, IntArray
from fingru.errors import ModelError
from fingru.features.feature_set import FeatureSet
from fingru.forecast.problem import ForecastProblem


@dataclass(frozen=True)
class SequenceBank:
    """All bars of all assets, N in total, asset after asset, each in the order of time.

    Parameters
    ----------
    features
        (N, S, F) float32, 0 where not usable.
    usable
        (N,) bool: features valid and reference variance positive.
    rows
        (N,) session row of each bar.
    offsets
        (A + 1,): bars of asset a are positions ``offsets[a]`` to ``offsets[a + 1] - 1``.
    volatility
        (N,) float64 reference volatility of one bar, 1 where not usable.
    targets
        (N, H) float32 labels over reference volatility times sqrt(horizon), 0 where unknown.
    known_at
        (N, H) session row at which the label is known.

    Known at: everything of a bar at its own row, except ``targets``, known at ``known_at``.
    """

    features: NDArray[np.float32]
    usable: BoolArray
    rows: IntArray
    offsets: IntArray
    volatility: FloatArray
    targets: NDArray[np.float32]
    known_at: IntArray

    @property
    def n_assets(self) -> int:
        """A, the number of assets."""
        return len(self.offsets) - 1


@dataclass(frozen=True)
class LabelRange:
    """Labels that may be used: ``row >= first_row`` and ``known_at <= last_known``.

    Of the assets from ``assets[0]`` up to but without ``assets[1]``; None: of all.
    """

    first_row: int
    last_known: int
    assets: tuple[int, int] | None = None


def build_bank(problem: ForecastProblem) -> SequenceBank:
    """Lay the bars of every asset end to end.

    Raises
    ------
    ModelError
        If features or labels are not of the same sessions and assets as the prices.
    """
    prices, features, labels = problem.prices, problem.features, problem.labels
    shape = (prices.n_sessions, prices.n_assets)
    if features.valid.shape != shape[::-1] or labels.values.shape[:2] != shape:
        raise ModelError(
            f"features {features.valid.shape[::-1]} and labels {labels.values.shape[:2]} are not "
            f"of the {shape} sessions and assets of the prices",
            "build both from the same prices",
        )
    asset, row = np.nonzero(prices.has_bar.T)
    reference = features.reference_variance[asset, row]
    usable = features.valid[asset, row] & np.isfinite(reference) & (reference > 0)
    volatility = np.sqrt(np.where(usable, reference, 1.0))
    scale = volatility[:, None] * np.sqrt(np.asarray(labels.horizons, dtype=np.float64))
    targets = np.nan_to_num(labels.values[row, asset] / scale, nan=0.0)
    return SequenceBank(
        features=_bars_of(features, prices.has_bar, usable),
        usable=usable,
        rows=row.astype(np.int64),
        offsets=np.searchsorted(asset, np.arange(prices.n_assets + 1)).astype(np.int64),
        volatility=volatility,
        targets=targets.astype(np.float32),
        known_at=labels.known_at[row, asset].astype(np.int64),
    )


def _bars_of(features: FeatureSet, has_bar: BoolArray, usable: BoolArray) -> NDArray[np.float32]:
    """Features of every bar, (N, S, F), 0 where not usable; not copied if all sessions are bars.

    Of a wide panel they are gigabytes.
    """
    rows = np.nonzero(has_bar.T)
    zeroed = usable == features.valid[rows]  # the features are 0 where not valid
    if has_bar.all() and zeroed.all():
        return features.values.reshape(-1, *features.values.shape[2:])
    found = features.values[rows]
    found[~zeroed] = 0
    return found


def join_banks(banks: Sequence[SequenceBank]) -> SequenceBank:
    """Lay several markets' banks end to end, the assets of one after those of the other.

    Sessions of different markets with the same row need not be the same day.
    """
    starts = np.cumsum([0, *(len(bank.rows) for bank in banks)])
    ends = [bank.offsets[1:] + start for bank, start in zip(banks, starts, strict=False)]
    return SequenceBank(
        **{
            name: np.concatenate([getattr(bank, name) for bank in banks])
            for name in ("features", "usable", "rows", "volatility", "targets", "known_at")
        },
        offsets=np.concatenate([np.zeros(1, dtype=np.int64), *ends]),
    )


def labelled(bank: SequenceBank, allowed: LabelRange) -> BoolArray:
    """Where a label may be used, (N, H)."""
    first, stop = allowed.assets or (0, bank.n_assets)
    of = slice(int(bank.offsets[first]), int(bank.offsets[stop]))
    rows = (bank.usable[of] & (bank.rows[of] >= allowed.first_row))[:, None]
    out = np.zeros(bank.known_at.shape, dtype=np.bool_)
    out[of] = rows & (bank.known_at[of] <= allowed.last_known)
    return out


@dataclass(frozen=True)
class Windows:
    """Runs of positions: window b ends at ``last[b]`` and keeps ``low[b] <= position <= high[b]``.

    ``last`` may lie beyond ``high``; all arrays have the same shape.
    """

    last: IntArray
    low: IntArray
    high: IntArray

    def positions(self, bars: int) -> tuple[IntArray, BoolArray]:
        """Positions (..., bars), clipped into the bank, and which of them are inside."""
        at = self.last[..., None] + np.arange(1 - bars, 1)
        inside = (at >= self.low[..., None]) & (at <= self.high[..., None])
        return np.where(inside, at, 0), inside


class WindowSampler:
    """Draws training windows so that every allowed label is about equally often under the loss.

    A label is drawn, uniformly or the likelier the later it is, then the window's end uniformly
    among those that put the label after the burn-in; an end after the asset's last allowed label
    is moved back to it. With a half-life, a label that is so many sessions older is drawn half as
    often.
    """

    def __init__(
        self,
        bank: SequenceBank,
        allowed: LabelRange,
        rng: np.random.Generator,
        half_life: int | None = None,
    ) -> None:
        self._choices = np.flatnonzero(labelled(bank, allowed).any(axis=1))
        self._asset = np.searchsorted(bank.offsets, self._choices, side="right") - 1
        self._offsets = bank.offsets
        self._last = np.full(bank.n_assets, -1, dtype=np.int64)
        np.maximum.at(self._last, self._asset, self._choices)
        self._rng = rng
        self._share = None
        if half_life is not None:
            age = allowed.last_known - bank.rows[self._choices]
            weight = np.cumsum(np.exp2(-age / half_life))
            self._share = weight / weight[-1]

    @property
    def n_labels(self) -> int:
        """Number of bars with an allowed label."""
        return len(self._choices)

    def draw(self, sequences: int, loss_bars: int) -> Windows:
        """Draw windows, (B,), whose last ``loss_bars`` bars are under the loss."""
        if self._share is None:
            pick = self._rng.integers(len(self._choices), size=sequences)
        else:
            pick = np.searchsorted(self._share, self._rng.random(sequences), side="right")
        shift = self._rng.integers(loss_bars, size=sequences)
        asset = self._asset[pick]
        last = np.minimum(self._choices[pick] + shift, self._last[asset])
        return Windows(last, self._offsets[asset], last)


def tail_windows(bank: SequenceBank, row: int, after: int, last_row: int) -> Windows:
    """One window per asset, (A,), aligned at its last bar up to ``row``, ``after`` bars longer.

    Bars after ``last_row`` are outside. Known at: ``last_row``.
    """
    low, stop = bank.offsets[:-1], bank.offsets[1:]
    upto = [
        np.searchsorted(bank.rows[a:b], [row, last_row], side="right")
        for a, b in zip(low, stop, strict=True)
    ]
    here, end = (low + np.array(upto, dtype=np.int64).T.reshape(2, -1)) - 1
    return Windows(here + after, low, end)


@dataclass(frozen=True)
class Standardiser:
    """Mean and standard deviation of each feature, (..., S, F) float32, and the clip."""

    mean: NDArray[np.float32]
    std: NDArray[np.float32]


def fit_standardiser(bank: SequenceBank, allowed: LabelRange) -> Standardiser:
    """Moments over the bars with an allowed label; a constant feature gets deviation 1.

    Known at: ``allowed.last_known``.
    """
    chosen = bank.features[labelled(bank, allowed).any(axis=1)].astype(np.float64)
    std = chosen.std(axis=0)
    std = np.where(std > 1e-6, std, 1.0)
    return Standardiser(chosen.mean(axis=0).astype(np.float32), std.astype(np.float32))


class DeviceBank:
    """The bank's tensors on a device, and the gathering of windows from them."""

    def __init__(self, bank: SequenceBank, device: torch.device) -> None:
        self.features = torch.from_numpy(bank.features).to(device)
        self.usable = torch.from_numpy(bank.usable).to(device)
        self.rows = torch.from_numpy(bank.rows).to(device)
        self.targets = torch.from_numpy(bank.targets).to(device)
        self.known_at = torch.from_numpy(bank.known_at).to(device)
        self.device = device

    def inputs(
        self, at: Tensor, inside: Tensor, mean: Tensor, std: Tensor, clip: float
    ) -> tuple[Tensor, Tensor]:
        """Standardised features (M, B, L, S, F) and mask (M, B, L) at positions (M, B, L)."""
        mask = inside & self.usable[at]
        x = self.features.index_select(0, at.flatten()).view(*at.shape, *self.features.shape[1:])
        x = ((x - mean[:, None, None]) / std[:, None, None]).clamp_(-clip, clip)
        return x.mul_(mask[..., None, None]), mask

    def labels(
        self, at: Tensor, mask: Tensor, first: Tensor, last: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Targets (M, B, L, H) and which of them lie in each model's label range, (M,) rows."""
        rows = mask & (self.rows[at] >= first[:, None, None])
        known = self.known_at[at] <= last[:, None, None, None]
        return self.targets[at], rows[..., None] & known
