"""Where the profit came from: by head of the forecast, asset, year, volatility regime and side.

A strategy is a function of the mean and the variance it is told. It is replayed without costs
with the heads replaced, one and both, by long-run moments known at the origin of each fold; what
changes is what the head earned. All parts are returns of a bar, as fractions of the equity at its
start, so that they add up bar by bar.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray
from fingru.backtest.long_short_pnl import profit_by_asset, profit_by_side
from fingru.backtest.regimes import REGIMES, UNKNOWN, equal_weight_returns, volatility_regimes
from fingru.backtest.settings import SimulationSettings
from fingru.backtest.simulator import Simulation, simulate
from fingru.backtest.unconditional import mix_heads, unconditional_forecast
from fingru.errors import ConfigError, FingruError
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold
from fingru.market.prices import Prices
from fingru.measures.market_beta import market_regression
from fingru.measures.returns import excess_returns, return_per_bar
from fingru.strategy import Strategy

HEADS = ("market", "variance_timing", "mean_alpha", "interaction")
"""Parts of the profit before costs; with ``cost`` subtracted they are ``net``."""

_AMOUNTS = (*HEADS, "cost", "net")


@dataclass(frozen=True)
class Attribution:
    """The parts of a strategy's profit.

    Parameters
    ----------
    parts
        date, market, variance_timing, mean_alpha, interaction, cost, net, regime: returns of each
        bar, ``net = market + variance_timing + mean_alpha + interaction - cost``. The heads are
        NaN where the strategy could not be replayed.
    summary
        Free of NaN: ``heads``, ``by_asset``, ``by_year``, ``by_regime``, ``by_side``,
        ``regression``, ``notes``.
    """

    parts: pd.DataFrame
    summary: dict[str, Any]


def attribute(
    prices: Prices,
    make_strategy: Callable[[], Strategy],
    forecast: Forecast | None,
    simulation: Simulation,
    *,
    settings: SimulationSettings,
    folds: Sequence[Fold],
    mean_per_bar: float | None = None,
) -> Attribution:
    """Split the net profit of a simulation into its parts.

    With r(mean, variance) the return of a bar without costs, 0 a head of long-run moments and 1
    the model's: ``market = r(0, 0)``, ``variance_timing = r(0, 1) - r(0, 0)``,
    ``mean_alpha = r(1, 0) - r(0, 0)``, ``interaction = r(1, 1) - r(0, 1) - mean_alpha`` and
    ``cost = r(1, 1) - net``. Interest on cash is part of the market. Without a forecast there are
    no heads, and everything before costs is the market part.

    Parameters
    ----------
    prices, forecast, settings, folds
        As the simulation was made with.
    make_strategy
        Gives a new strategy for each replay.
    simulation
        From the first origin to the session after the last.
    mean_per_bar
        The constant mean log return per bar of head 0; each asset's own past mean if None.

    Raises
    ------
    ConfigError
        If the simulation does not cover the sessions of the folds.

    Known at: row t of ``parts`` at the close of its date.
    """
    rows = slice(folds[0].test_first + 1, folds[-1].test_last + 2)
    if len(simulation.book.equity) != rows.stop - rows.start + 1:
        raise ConfigError(
            f"the simulation of {simulation.name} has {len(simulation.book.equity) - 1} periods, "
            f"the folds {rows.stop - rows.start}",
            "attribute a simulation over all test ranges of these folds",
        )
    heads = None
    if forecast is not None:
        heads = forecast, unconditional_forecast(prices, forecast, folds, mean_per_bar)
    replays, notes = _replays(prices, make_strategy, simulation.name, heads, settings, folds)
    market = equal_weight_returns(prices)
    net = _returns(simulation)
    parts = _parts(prices.index[rows], net, replays, simulation)
    parts["regime"] = volatility_regimes(market)[rows].astype(str)
    cash = return_per_bar(settings.cash_rate, prices.bars_per_year)
    annual = prices.bars_per_year
    summary = {
        "heads": _heads(parts, annual),
        "by_asset": profit_by_asset(prices.assets, simulation.book),
        "by_year": [{"year": int(y), **_sums(b)} for y, b in parts.groupby(parts["date"].dt.year)],
        "by_regime": _regimes(parts, annual),
        "by_side": profit_by_side(prices, simulation, rows.start - 1),
        "regression": market_regression(excess_returns(net, cash), market[rows] - cash, annual),
        "notes": notes,
    }
    return Attribution(parts, summary)


def without_costs(settings: SimulationSettings) -> SimulationSettings:
    """The same broker, free of charge; interest, limits and fills stay."""
    free = {"cost_bps", "commission_per_trade", "half_spread_bps", "slippage_bps",
            "impact_coefficient", "borrow_bps"}  # fmt: skip
    return settings.model_copy(update=dict.fromkeys(free, 0.0) | {"asset_costs": None})


def _replays(
    prices: Prices,
    make_strategy: Callable[[], Strategy],
    name: str,
    heads: tuple[Forecast, Forecast] | None,
    settings: SimulationSettings,
    folds: Sequence[Fold],
) -> tuple[dict[str, FloatArray] | None, list[str]]:
    told: dict[str, Forecast | None] = {"none": None}
    if heads is not None:
        model, constant = heads
        told = {
            "full": model,
            "mean": mix_heads(model, constant),
            "variance": mix_heads(constant, model),
            "none": constant,
        }
    found, notes = {}, []
    for key, forecast in told.items():
        try:
            replay = simulate(
                prices, make_strategy(), name=name, forecast=forecast,
                settings=without_costs(settings),
                first_row=folds[0].test_first, last_row=folds[-1].test_last + 1,
            )  # fmt: skip
        except FingruError as error:  # the run is finished but for this, and stands without it
            return None, [f"no parts by head: {name} cannot use long-run forecasts ({error})"]
        found[key] = _returns(replay)
        if key == "none" and heads is not None and not replay.book.traded.any():
            notes.append(f"{name} holds nothing on long-run forecasts: its market part is cash")
    if heads is None:
        note = f"{name} is given no forecast: all it earns before costs is its market part"
        return dict.fromkeys(("full", "mean", "variance", "none"), found["none"]), [note]
    return found, notes


def _returns(simulation: Simulation) -> FloatArray:
    """Net return of each bar; 0 after ruin."""
    equity = simulation.book.equity
    alive = equity[:-1] > 0.0
    change = equity[1:] - equity[:-1]
    return np.divide(change, equity[:-1], out=np.zeros_like(change), where=alive)


def _parts(
    dates: pd.DatetimeIndex,
    net: FloatArray,
    replays: dict[str, FloatArray] | None,
    simulation: Simulation,
) -> pd.DataFrame:
    if replays is None:
        unknown = dict.fromkeys(HEADS, np.full(len(net), np.nan))
        return pd.DataFrame({"date": dates, **unknown, "cost": _booked(simulation), "net": net})
    none, full, timed = replays["none"], replays["full"], replays["variance"]
    alpha = replays["mean"] - none
    return pd.DataFrame(
        {
            "date": dates,
            "market": none,
            "variance_timing": timed - none,
            "mean_alpha": alpha,
            "interaction": (full - timed) - alpha,
            "cost": full - net,
            "net": net,
        }
    )


def _booked(simulation: Simulation) -> FloatArray:
    book = simulation.book
    paid = book.cost[1:] + book.borrow[1:].sum(axis=1)
    before = book.equity[:-1]
    share: FloatArray = np.divide(paid, before, out=np.zeros_like(paid), where=before > 0.0)
    return share


def _sums(parts: pd.DataFrame) -> dict[str, float | None]:
    return {name: _number(parts[name].to_numpy().sum()) for name in _AMOUNTS}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _heads(parts: pd.DataFrame, annual: float) -> dict[str, Any]:
    """Sums, the same per year, and linked to the compounded return."""
    years = len(parts) / annual
    total = _sums(parts)
    return {
        "total": total,
        "per_year": {k: None if v is None else v / years for k, v in total.items()},
        "compounded": linked_parts(parts),
    }


def linked_parts(parts: pd.DataFrame) -> dict[str, float | None]:
    """Bring the parts to the compounded net return R, so that they still add up.

    ``sum_t part_t k_t / K`` with ``k_t = ln(1 + r_t) / r_t`` and ``K = ln(1 + R) / R`` (1 at a
    return of 0), r the net returns. None after ruin or where a part is unknown.

    References
    ----------
    Carino (1999), Combining Attribution Effects over Time, Journal of Performance Measurement,
    volume 3, number 4.
    """
    net = parts["net"].to_numpy()
    if net.min() <= -1.0:
        return dict.fromkeys(_AMOUNTS)
    logs = np.log1p(net)
    weight = np.divide(logs, net, out=np.ones_like(net), where=net != 0.0)
    growth = float(logs.sum())
    total = float(np.expm1(growth))
    scale = growth / total if total != 0.0 else 1.0
    return {k: _number((parts[k].to_numpy() * weight).sum() / scale) for k in _AMOUNTS}


def _regimes(parts: pd.DataFrame, annual: float) -> list[dict[str, Any]]:
    found = []
    for name in (*REGIMES, UNKNOWN):
        block = parts[parts["regime"] == name]
        if len(block):
            sums = _sums(block)
            per_year = float(block["net"].mean() * annual)
            found.append({"regime": name, "bars": len(block), **sums, "net_per_year": per_year})
    return found
