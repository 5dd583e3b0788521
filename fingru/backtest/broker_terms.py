"""From prices and settings to the terms on which the books are kept."""

from __future__ import annotations

import numpy as np

from fingru.arrays import BoolArray, FloatArray
from fingru.backtest.accounting import NEXT_CLOSE, NEXT_OPEN, SAME_CLOSE, BrokerTerms, Quotes
from fingru.backtest.costs import cost_by_asset, impact_factors
from fingru.backtest.settings import SimulationSettings
from fingru.market.calendars import last_bars
from fingru.market.prices import Prices
from fingru.measures.returns import return_per_bar

_FOR_EVER = np.iinfo(np.int64).max


def broker_terms_of(prices: Prices, settings: SimulationSettings) -> BrokerTerms:
    """Rates per bar and per asset, in units of equity.

    Interest compounds to its rate per year, ``(1 + rate)**(1 / bars_per_year) - 1``; the fee for
    short holdings is ``borrow_bps / 1e4 / bars_per_year``.

    Raises
    ------
    ConfigError
        If the costs by asset cannot be used.
    """
    money = settings.initial_equity / settings.capital
    owed = settings.cash_rate if settings.debit_rate is None else settings.debit_rate
    assets = prices.assets
    return BrokerTerms(
        timing=_timing(prices, settings),
        commission=cost_by_asset(settings, assets, "cost_bps") / 1e4,
        spread=cost_by_asset(settings, assets, "half_spread_bps") / 1e4,
        slippage=cost_by_asset(settings, assets, "slippage_bps") / 1e4,
        fee=cost_by_asset(settings, assets, "commission_per_trade") * money,
        borrow_rate=cost_by_asset(settings, assets, "borrow_bps") / 1e4 / prices.bars_per_year,
        interest_rate=_per_bar(settings.cash_rate, prices),
        debit_rate=_per_bar(owed, prices),
        no_trade_band=settings.no_trade_band,
        minimum_trade=settings.minimum_trade * money,
        delisting_loss=settings.delisting_loss,
        max_drawdown=np.inf if settings.max_drawdown is None else settings.max_drawdown,
        pause=_FOR_EVER if settings.drawdown_pause is None else settings.drawdown_pause,
    )


def quotes_of(prices: Prices, settings: SimulationSettings, rows: range) -> Quotes:
    """What the books need of the prices in the sessions ``rows``.

    Raises
    ------
    ConfigError
        If trades have an impact but the prices no volume.

    Known at: row t at the close of t.
    """
    mark, silent = _carried(prices, settings)
    fill = prices.close
    if prices.open is not None and _timing(prices, settings) == NEXT_OPEN:
        fill = np.where(prices.has_bar & (prices.open > 0), prices.open, np.nan)
    cut = slice(rows.start, rows.stop)
    impact = np.empty((0, prices.n_assets))
    if settings.impact_coefficient > 0.0:
        impact = impact_factors(prices, settings)[cut]
    return Quotes(
        np.ascontiguousarray(mark[cut]),
        np.array(fill[cut]),
        np.array(prices.has_bar[cut]),
        np.ascontiguousarray(silent[cut]),
        np.ascontiguousarray(impact),
    )


def _carried(prices: Prices, settings: SimulationSettings) -> tuple[FloatArray, BoolArray]:
    """Last close of every asset at every session, and whether it has been silent for too long."""
    if prices.has_bar.all():
        return prices.close, np.zeros(prices.close.shape, dtype=np.bool_)
    last_bar, silent = last_bars(prices, settings.delisted_after_days)
    return np.take_along_axis(prices.close, np.maximum(last_bar, 0), axis=0), silent


def _timing(prices: Prices, settings: SimulationSettings) -> int:
    if settings.fill == "same_close":
        return SAME_CLOSE
    if settings.fill == "next_close" or prices.open is None:
        return NEXT_CLOSE
    return NEXT_OPEN


def _per_bar(rate: float, prices: Prices) -> float:
    return return_per_bar(rate, prices.bars_per_year)
