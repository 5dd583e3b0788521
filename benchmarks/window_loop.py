"""The walk-forward as a textbook writes it: one lookback window per label, one network per fold.

A ``Dataset`` cuts the window of each label, a ``DataLoader`` shuffles and collates, and
``torch.nn.GRU`` runs every window from its first bar on. It is given the job's own features and
labels, and one GRU for all scales where the job has one each, which favours it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from fingru.forecast.problem import Fold, ForecastProblem

BATCH, BATCHES, FORECAST_BATCHES, TRIAL_BATCHES = 256, 100, 30, 5


class Windows(Dataset[tuple[Tensor, Tensor]]):
    """Window and next return of every label known at an origin."""

    def __init__(self, problem: ForecastProblem, fold: Fold, lookback: int) -> None:
        values = problem.features.values
        self._x = torch.from_numpy(values.reshape(*values.shape[:2], -1))
        self._y = torch.from_numpy(problem.labels.values[:, :, 0].T.astype(np.float32) * 100)
        known = np.less_equal(problem.labels.known_at[:, :, 0].T, fold.origin)
        known[:, : problem.features.warmup_bars + lookback] = False
        self._at: NDArray[np.int64] = np.argwhere(known & problem.features.valid)
        self._lookback = lookback
        self.inputs = self._x.shape[2]

    def __len__(self) -> int:
        return len(self._at)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        asset, row = self._at[i]
        return self._x[asset, row + 1 - self._lookback : row + 1], self._y[asset, row]


class Network(torch.nn.Module):
    """GRU over the window; mean, scale and degrees of freedom from its last state."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.gru = torch.nn.GRU(inputs, units, batch_first=True)
        self.head = torch.nn.Linear(units, 3)

    def forward(self, x: Tensor) -> torch.distributions.StudentT:
        """Distribution of the next return of each window."""
        mean, scale, tails = self.head(self.gru(x)[0][:, -1]).unbind(-1)
        df = 2.2 + torch.nn.functional.softplus(tails)
        return torch.distributions.StudentT(df, mean, scale.exp())


class WindowLoop:
    """A slice of the loop: windows per second, training and forecasting, in the middle fold."""

    def __init__(self, problem: ForecastProblem, fold: Fold, lookback: int, units: int) -> None:
        torch.manual_seed(0)
        self._windows = Windows(problem, fold, lookback)
        self._network = Network(self._windows.inputs, units)
        self._optimiser = torch.optim.AdamW(self._network.parameters(), 1e-3)
        self._threads = 1
        self._threads = self._faster()

    def rates(self) -> dict[str, float]:
        """Windows per second of one round, with the better number of threads."""
        before = torch.get_num_threads()
        torch.set_num_threads(self._threads)
        try:
            return {
                "train": self._rate(BATCHES, self._train),
                "forecast": self._rate(FORECAST_BATCHES, self._forecast),
            }
        finally:
            torch.set_num_threads(before)

    def _faster(self) -> int:
        """1 or all threads: many small operations can be slower on two busy cores than on one."""
        before, rate = torch.get_num_threads(), {}
        self._rate(1, self._train)
        for threads in {1, before}:
            torch.set_num_threads(threads)
            rate[threads] = self._rate(TRIAL_BATCHES, self._train)
        torch.set_num_threads(before)
        return max(rate, key=lambda threads: rate[threads])

    def _rate(self, batches: int, use: Callable[[Tensor, Tensor], None]) -> float:
        loader: Iterator[list[Tensor]] = iter(DataLoader(self._windows, BATCH, shuffle=True))
        started = time.perf_counter()
        for _ in range(batches):
            use(*next(loader))
        return batches * BATCH / (time.perf_counter() - started)

    def _train(self, x: Tensor, y: Tensor) -> None:
        loss = -self._network(x).log_prob(y).mean()
        self._optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
        self._optimiser.step()

    @torch.no_grad()
    def _forecast(self, x: Tensor, _: Tensor) -> None:
        self._network(x)
