"""The same short job on the real market and on every surrogate, all trained in one program."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fingru.audit.null.outcome import outcome
from fingru.audit.null.surrogates import surrogate_maker
from fingru.backtest.schedule import folds_between
from fingru.backtest.simulator import Simulation
from fingru.config import Config, smaller
from fingru.errors import ConfigError, DataError
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold, ForecastProblem, Progress, no_progress
from fingru.market.prices import Prices
from fingru.measures import returns as metrics
from fingru.measures.information import correlation
from fingru.models.protocol import ManyMarkets
from fingru.models.registry import make_forecaster
from fingru.models.walk import walk_forecast
from fingru.walkforward.walk import WalkForward, make_problem, simulate_strategy

_SIZES = {
    "model": {"hidden_size": 8, "members": 1},
    "training": {
        "steps": 120, "warm_start_steps": 40, "finetune_steps": 30, "batch_size": 4,
        "seq_len": 252, "burn_in": 63, "context_bars": 126,
    },
}  # fmt: skip
"""At most so large; every column, scale, horizon and rule stays the user's."""

_FIRST_ORIGIN = 0.55
_FEWEST_BARS = 120


def null_test(prices: Prices, config: Config, progress: Progress = no_progress) -> dict[str, Any]:
    """Run features, training and sizing on the real market and on surrogates of it.

    Real and surrogate markets go through exactly the same short job: small models, the same
    folds, the settings' own columns, scales, strategy and costs. The p-value of a statistic is
    ``(1 + surrogates at or above the real one) / (1 + surrogates)``.

    Parameters
    ----------
    prices
        Any panel; the latest sessions in which all of the chosen assets have a bar are used.
    config
        The user's; only sizes are cut down. No trial is counted: what is tested is a small job.
    progress
        Told about each market.

    Returns
    -------
    dict
        See ``outcome``.

    Raises
    ------
    DataError
        If too few sessions are left in which all assets trade.
    """
    sample = _sample(prices, config)
    small = smaller(config, _SIZES)
    problem = make_problem(sample, small)
    folds = _folds(sample, small, problem.features.warmup_bars)
    made: deque[WalkForward] = deque()
    markets = _markets(sample, small)
    progress("null test", 0, small.null_test.surrogates + 1)
    found = []
    for forecast in _forecasts(_prepared(markets, small, folds, made), folds, small):
        found.append(_statistics(made.popleft(), forecast))
        progress("null test", len(found), small.null_test.surrogates + 1)
    return outcome(found, sample, small, folds)


def _sample(prices: Prices, config: Config) -> Prices:
    """Latest sessions in which the assets with most bars lately all trade."""
    wanted = config.null_test
    recent = prices.has_bar[-wanted.sessions :].sum(axis=0)
    order = np.argsort(-recent, kind="stable")[: wanted.assets]
    panel = prices.select([prices.assets[i] for i in sorted(order)])
    return panel.complete().latest(wanted.sessions)


def _folds(sample: Prices, config: Config, warmup_bars: int) -> list[Fold]:
    """Equal test ranges after ``_FIRST_ORIGIN`` of the sessions."""
    last = sample.n_sessions - 2
    first = int(_FIRST_ORIGIN * sample.n_sessions)
    needed = warmup_bars + _FEWEST_BARS + max(config.horizons)
    if first < needed or last - first < _FEWEST_BARS:
        fewest = int(max(needed / _FIRST_ORIGIN, _FEWEST_BARS / (1 - _FIRST_ORIGIN))) + 3
        raise DataError(
            f"{sample.source}: {sample.n_sessions} sessions in which all of "
            f"{', '.join(sample.assets)} trade are too few for a null test",
            f"at least {fewest} are needed: choose assets with a longer common history, raise "
            "null_test.sessions, or use shorter scales (--set features.scales=[1,5])",
        )
    edges = np.linspace(first, last + 1, config.null_test.folds + 1).astype(int)[:-1]
    return folds_between([int(edge) for edge in edges], last, config.walk_forward)


def _markets(sample: Prices, config: Config) -> Iterator[Prices]:
    """The real market, then the surrogates; each has a random stream of its own."""
    yield sample
    draw = surrogate_maker(sample, config.null_test)
    streams = np.random.SeedSequence([config.seed, 0x5A]).spawn(config.null_test.surrogates)
    for stream in streams:
        yield draw(np.random.default_rng(stream))


def _prepared(
    markets: Iterator[Prices], config: Config, folds: list[Fold], made: deque[WalkForward]
) -> Iterator[ForecastProblem]:
    """Every market's problem; its job is kept in ``made`` until its forecast is there."""
    for prices in markets:
        made.append(WalkForward(config, make_problem(prices, config), folds))
        yield made[-1].problem


def _forecasts(
    problems: Iterator[ForecastProblem], folds: Sequence[Fold], config: Config
) -> Iterator[Forecast]:
    """What the strategy is given in each market."""
    name = config.forecast_for_strategy
    if name is None:
        raise ConfigError(
            "the null test asks what forecasts are worth, and strategy.forecast is none",
            "leave it unset, or name a model there",
        )
    model = make_forecaster(name, config)
    if isinstance(model, ManyMarkets):
        yield from model.walk_markets(problems, folds)
    else:
        yield from (walk_forecast(model, problem, folds) for problem in problems)


def _statistics(job: WalkForward, forecast: Forecast) -> dict[str, float | None]:
    """What is compared between the markets."""
    chosen = _sharpe(job, simulate_strategy(job, job.chosen, forecast))
    equal = simulate_strategy(job, job.strategies["equal_weight"], forecast)
    benchmark = _sharpe(job, equal)
    return {
        "sharpe": chosen,
        "sharpe_over_equal_weight": chosen - benchmark,
        "ic": _information_coefficient(job, forecast),
    }


def _sharpe(job: WalkForward, simulation: Simulation) -> float:
    """Sharpe ratio a year from net returns; 0 for a strategy that holds nothing, NaN of NaN."""
    per_year = job.prices.bars_per_year
    cash = metrics.return_per_bar(job.config.simulation.cash_rate, per_year)
    net = simulation.equity["net_return"].to_numpy()
    if not np.isfinite(net).all():
        return np.nan
    ratio = metrics.sharpe_ratio(net, per_year, cash)
    return float(ratio) if np.isfinite(ratio) else 0.0


def _information_coefficient(job: WalkForward, forecast: Forecast) -> float | None:
    """Correlation of forecast mean and outcome, both in forecast volatilities, all assets."""
    labels = job.problem.labels.values[..., 0]
    rows = slice(job.folds[0].test_first, job.folds[-1].test_last + 1)
    mean, outcomes = forecast.mean[rows, :, 0], labels[rows]
    deviation = np.sqrt(forecast.variance[rows, :, 0])
    known = np.isfinite(mean) & np.isfinite(outcomes) & (deviation > 0.0)
    return correlation((mean / deviation)[known], (outcomes / deviation)[known])
