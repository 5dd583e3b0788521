"""Where the profit came from: by head of the forecast, asset, year, volatility regime and side.

A strategy is a function of the mean and the variance it is given. It is replayed without costs
with the heads replaced, one and both, by long-run moments known at the origin of each fold; what
changes is what the head earned. All parts are returns of a bar, as fractions of the equity at its
start, so that they add up bar by bar.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray, finite_or_none
from fingru.backtest.accounting import NEXT_CLOSE, SAME_CLOSE, Account, over_equity
from fingru.backtest.settings import SimulationSettings
from fingru.backtest.simulator import Simulation, simulate
from fingru.distributions import Normal
from fingru.errors import ConfigError, FingruError
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Fold
from fingru.market.prices import Prices
from fingru.measures.relative import REGIMES, market_regression, volatility_regimes
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

    Raises
    ------
    ConfigError
        If the simulation does not cover the sessions of the folds.

    Known at: row t of ``parts`` at the close of its date.
    """
    rows = slice(folds[0].test_first + 1, folds[-1].test_last + 2)
    account, net = simulation.account, simulation.account.net_returns
    if len(net) != rows.stop - rows.start:
        raise ConfigError(
            f"the simulation of {simulation.name} has {len(net)} periods, "
            f"the folds {rows.stop - rows.start}",
            "attribute a simulation over all test ranges of these folds",
        )

    def replay(given: Forecast | None) -> Simulation:
        return simulate(
            prices, make_strategy(), name=simulation.name, forecast=given,
            settings=without_costs(settings), first_row=rows.start - 1, last_row=rows.stop - 1,
        )  # fmt: skip

    constant = None if forecast is None else unconditional_forecast(prices, forecast, folds)
    heads, notes = _heads(replay, simulation.name, forecast, constant)
    if heads is None:
        heads = dict.fromkeys(HEADS, np.full(len(net), np.nan))
        cost = over_equity(account.cost[1:] + account.borrow[1:].sum(axis=1), account.equity[:-1])
    else:
        cost = heads.pop("full") - net
    market = equal_weight_returns(prices)
    regime = volatility_regimes(market)[rows].astype(str)
    dates = {"date": prices.index[rows]}
    parts = pd.DataFrame(dates | heads | {"cost": cost, "net": net, "regime": regime})
    year = prices.bars_per_year
    cash = return_per_bar(settings.cash_rate, year)
    summary = {
        "heads": _totals(parts, year),
        "by_asset": profit_by_asset(prices.assets, account),
        "by_year": [{"year": int(y), **_sums(b)} for y, b in parts.groupby(parts["date"].dt.year)],
        "by_regime": _by_regime(parts, year),
        "by_side": profit_by_side(simulation),
        "regression": market_regression(excess_returns(net, cash), market[rows] - cash, year),
        "notes": notes,
    }
    return Attribution(parts, summary)


def without_costs(settings: SimulationSettings) -> SimulationSettings:
    """The same broker, free of charge; interest, limits and fills stay."""
    free = {"cost_bps", "commission_per_trade", "half_spread_bps", "slippage_bps",
            "impact_coefficient", "borrow_bps"}  # fmt: skip
    return settings.model_copy(update=dict.fromkeys(free, 0.0) | {"asset_costs": None})


def unconditional_forecast(prices: Prices, forecast: Forecast, folds: Sequence[Fold]) -> Forecast:
    """Replace both heads by each asset's long-run moments, constant within a fold.

    ``mean = h m`` and ``variance = h s2`` with m and s2 (ddof 1) of the asset's one-bar log
    returns in rows ``train_first .. origin``; an asset with fewer than 20 of them takes the
    average of the others. A Gaussian: no tails, no skew, no disagreement of members. There is a
    forecast where ``forecast`` has one.

    Known at: rows of a fold at its origin.
    """
    horizons = np.asarray(forecast.horizons, dtype=np.float64)
    mean, variance = np.full_like(forecast.mean, np.nan), np.full_like(forecast.mean, np.nan)
    for fold in folds:
        m, s2 = _moments(prices.log_returns[fold.train_first : fold.origin + 1])
        rows = slice(fold.test_first, fold.test_last + 1)
        mean[rows] = m[:, None] * horizons
        variance[rows] = s2[:, None] * horizons
    absent = ~(np.isfinite(forecast.mean) & np.isfinite(forecast.variance))
    mean[absent] = np.nan
    variance[absent] = np.nan
    return forecast.with_distribution("long_run", Normal(mean, variance))


def mix_heads(mean_from: Forecast, variance_from: Forecast) -> Forecast:
    """Mean head of one forecast (with its members' disagreement), variance head of another.

    Tails, asymmetry and recalibration are of the distribution around the mean: they come with the
    variance. There is a forecast where both have one.
    """
    absent = np.isnan(mean_from.mean) | np.isnan(variance_from.variance)
    return replace(
        variance_from,
        model=f"{mean_from.model}+{variance_from.model}",
        distribution=variance_from.distribution.with_moments(
            np.where(absent, np.nan, mean_from.mean),
            np.where(absent, np.nan, variance_from.variance),
        ),
        epistemic_variance=mean_from.epistemic_variance,
    )


def _moments(returns: FloatArray) -> tuple[FloatArray, FloatArray]:
    present = np.isfinite(returns)
    count = present.sum(axis=0)
    mean = np.where(present, returns, 0.0).sum(axis=0) / np.maximum(count, 1)
    squares = np.where(present, (returns - mean) ** 2, 0.0).sum(axis=0)
    variance = squares / np.maximum(count - 1, 1)
    known = (count >= 20) & (variance > 0.0)
    if not known.any():
        return np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    return (
        np.where(known, mean, mean[known].mean()),
        np.where(known, variance, variance[known].mean()),
    )


def equal_weight_returns(prices: Prices) -> FloatArray:
    """Mean simple return of the assets with a bar, (T,); 0 in a session in which none has one.

    Known at: row t at its own close.
    """
    simple = np.expm1(prices.log_returns)
    present = np.isfinite(simple)
    total = np.where(present, simple, 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(present.sum(axis=1), 1))


def _heads(
    replay: Callable[[Forecast | None], Simulation],
    name: str,
    model: Forecast | None,
    constant: Forecast | None,
) -> tuple[dict[str, FloatArray] | None, list[str]]:
    """What each head earned in each bar, and ``full``, all of it; and what must be said of it."""
    notes: list[str] = []
    try:
        if model is None or constant is None:
            full = replay(None).account.net_returns
            none = {name: np.zeros_like(full) for name in HEADS}
            note = f"{name} is given no forecast: all it earns before costs is its market part"
            return none | {"market": full, "full": full}, [note]
        full = replay(model).account.net_returns
        by_mean = replay(mix_heads(model, constant)).account.net_returns
        by_variance = replay(mix_heads(constant, model)).account.net_returns
        long_run = replay(constant).account
    except FingruError as error:  # the run is finished but for this, and stands without it
        return None, [f"no parts by head: {name} cannot use long-run forecasts ({error})"]
    if not long_run.traded.any():
        notes.append(f"{name} holds nothing on long-run forecasts: its market part is cash")
    market = long_run.net_returns
    alpha = by_mean - market
    heads = {
        "market": market,
        "variance_timing": by_variance - market,
        "mean_alpha": alpha,
        "interaction": (full - by_variance) - alpha,
        "full": full,
    }
    return heads, notes


def _sums(parts: pd.DataFrame) -> dict[str, float | None]:
    return {name: finite_or_none(parts[name].to_numpy().sum()) for name in _AMOUNTS}


def _totals(parts: pd.DataFrame, bars_per_year: float) -> dict[str, Any]:
    """Sums, the same per year, and linked to the compounded return."""
    total, years = _sums(parts), len(parts) / bars_per_year
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
    return {k: finite_or_none((parts[k].to_numpy() * weight).sum() / scale) for k in _AMOUNTS}


def _by_regime(parts: pd.DataFrame, bars_per_year: float) -> list[dict[str, Any]]:
    blocks = {name: parts[parts["regime"] == name] for name in REGIMES}
    return [
        {
            "regime": name,
            "bars": len(block),
            **_sums(block),
            "net_per_year": float(block["net"].mean() * bars_per_year),
        }
        for name, block in blocks.items()
        if len(block)
    ]


def profit_by_asset(assets: tuple[str, ...], account: Account) -> list[dict[str, Any]]:
    """Sums over bars of each asset's profit over the equity before it, and of its costs.

    ``net = gross - cost`` per asset, costs with the fee for borrowing; a last row of asset None
    holds interest and what ruin left unpaid. All ``net`` add up to the sum of net returns.
    """
    start = account.equity[:-1]
    gross = over_equity(account.pnl[1:], start).sum(axis=0)
    cost = over_equity((account.cost_by_asset + account.borrow)[1:], start).sum(axis=0)
    rest = float(over_equity((account.interest + account.forgiven)[1:], start).sum())
    return [
        *(
            {"asset": a, "gross": float(g), "cost": float(c), "net": float(g - c)}
            for a, g, c in zip(assets, gross, cost, strict=True)
        ),
        {"asset": None, "gross": rest, "cost": 0.0, "net": rest},
    ]


def profit_by_side(simulation: Simulation) -> dict[str, float]:
    """Profit of long and of short holdings, interest and costs, each summed over bars.

    ``net = long + short + interest - cost``. A holding that changes sides at an open earned up to
    the open on the old side and from it on the new one.
    """
    account = simulation.account
    old, new = np.sign(account.holdings[:-1]), np.sign(account.holdings[1:])
    ended = new == 0.0  # closed: by a trade from the old side, or at ruin after it was opened
    new = np.where(ended, np.where(old != 0.0, old, np.sign(account.traded[1:])), new)
    old = np.where(old == 0.0, new, old)
    earned = account.pnl[1:]
    before = np.where(old == new, earned, _before_fill(simulation))
    after = earned - before

    def total(amounts: FloatArray) -> float:
        return float(over_equity(amounts, account.equity[:-1]).sum())

    long = total(np.where(old > 0, before, 0.0) + np.where(new > 0, after, 0.0))
    short = total(np.where(old > 0, 0.0, before) + np.where(new > 0, 0.0, after))
    interest = total((account.interest + account.forgiven)[1:])
    cost = total((account.cost + account.borrow.sum(axis=1))[1:])
    net = long + short + interest - cost
    return {"long": long, "short": short, "interest": interest, "cost": cost, "net": net}


def _before_fill(simulation: Simulation) -> FloatArray:
    """Profit of each session before its fill, (N, A)."""
    account, quotes = simulation.account, simulation.quotes
    if simulation.terms.timing == SAME_CLOSE:
        return np.zeros_like(account.pnl[1:])
    if simulation.terms.timing == NEXT_CLOSE:
        return account.pnl[1:]
    opens = quotes.fill[1:]
    moved = account.holdings[:-1] * (opens / quotes.mark[:-1] - 1.0)
    return np.where(np.isfinite(opens), moved, 0.0)
