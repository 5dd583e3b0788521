"""From prices and settings to what the account is settled with: quotes, rates, market impact."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numba import njit
from pydantic import ValidationError

from fingru.arrays import FloatArray
from fingru.backtest.accounting import NEXT_CLOSE, NEXT_OPEN, SAME_CLOSE, BrokerTerms, Quotes
from fingru.backtest.settings import AssetCosts, SimulationSettings
from fingru.errors import ConfigError, did_you_mean
from fingru.market.calendars import last_bars
from fingru.market.prices import Prices
from fingru.measures.returns import return_per_bar

_FOR_EVER = np.iinfo(np.int64).max


def broker_terms_of(prices: Prices, settings: SimulationSettings) -> BrokerTerms:
    """Rates per bar and per asset, in units of equity.

    Interest is ``return_per_bar`` of its rate per year; the fee for short holdings is
    ``borrow_bps / 1e4 / bars_per_year``.

    Raises
    ------
    ConfigError
        If the costs by asset cannot be used.
    """
    money = settings.initial_equity / settings.capital
    year, assets = prices.bars_per_year, prices.assets
    owed = settings.cash_rate if settings.debit_rate is None else settings.debit_rate
    return BrokerTerms(
        timing=_timing(prices, settings),
        commission=cost_by_asset(settings, assets, "cost_bps") / 1e4,
        spread=cost_by_asset(settings, assets, "half_spread_bps") / 1e4,
        slippage=cost_by_asset(settings, assets, "slippage_bps") / 1e4,
        fee=cost_by_asset(settings, assets, "commission_per_trade") * money,
        borrow_rate=cost_by_asset(settings, assets, "borrow_bps") / 1e4 / year,
        interest_rate=return_per_bar(settings.cash_rate, year),
        debit_rate=return_per_bar(owed, year),
        no_trade_band=settings.no_trade_band,
        minimum_trade=settings.minimum_trade * money,
        delisting_loss=settings.delisting_loss,
        max_drawdown=np.inf if settings.max_drawdown is None else settings.max_drawdown,
        pause=_FOR_EVER if settings.drawdown_pause is None else settings.drawdown_pause,
    )


def quotes_of(prices: Prices, settings: SimulationSettings, rows: range) -> Quotes:
    """What the account needs of the prices in the sessions ``rows``.

    Raises
    ------
    ConfigError
        If trades have an impact but the prices no volume.

    Known at: row t at the close of t.
    """
    cut = slice(rows.start, rows.stop)
    mark, delisted = prices.close, np.zeros(prices.close.shape, dtype=np.bool_)
    if not prices.has_bar.all():
        last_bar, delisted = last_bars(prices, settings.delisted_after_days)
        mark = np.take_along_axis(prices.close, np.maximum(last_bar, 0), axis=0)
    fill = prices.close
    if prices.open is not None and _timing(prices, settings) == NEXT_OPEN:
        fill = np.where(prices.has_bar & (prices.open > 0), prices.open, np.nan)
    impact = np.empty((0, prices.n_assets))
    if settings.impact_coefficient > 0.0:
        impact = impact_factors(prices, settings)[cut]
    return Quotes(
        mark=np.ascontiguousarray(mark[cut]),
        fill=np.array(fill[cut]),
        has_bar=np.array(prices.has_bar[cut]),
        delisted=np.ascontiguousarray(delisted[cut]),
        impact=np.ascontiguousarray(impact),
    )


def _timing(prices: Prices, settings: SimulationSettings) -> int:
    if settings.fill == "same_close":
        return SAME_CLOSE
    return NEXT_CLOSE if settings.fill == "next_close" or prices.open is None else NEXT_OPEN


def cost_by_asset(settings: SimulationSettings, assets: tuple[str, ...], name: str) -> FloatArray:
    """Rate of one cost for each asset, (A,), in the unit of its setting.

    ``name`` is a field of ``AssetCosts``: the rate for all, and ``asset_costs`` where it differs.

    Raises
    ------
    ConfigError
        If the table of costs cannot be read, has wrong values, or names none of the assets.

    Examples
    --------
    >>> dear = SimulationSettings(cost_bps=2.0, asset_costs={"B": 10.0})
    >>> cost_by_asset(dear, ("A", "B"), "cost_bps")
    array([ 2., 10.])
    """
    table = _asset_table(settings, assets)
    rates = np.full(len(assets), getattr(settings, name), dtype=np.float64)
    for a, asset in enumerate(assets):
        own = getattr(table[asset], name) if asset in table else None
        if own is not None:
            rates[a] = own
    return rates


def _asset_table(settings: SimulationSettings, assets: tuple[str, ...]) -> dict[str, AssetCosts]:
    """Costs of the assets that have their own.

    A mapping may name only assets of the panel; a file may be for a larger universe, but must
    name at least one of them.
    """
    given = settings.asset_costs
    if given is None:
        return {}
    if isinstance(given, Path):
        table = _read_csv(given)
        if not set(table) & set(assets):
            raise ConfigError(
                f"simulation.asset_costs {given} names none of the assets",
                f"assets are {', '.join(assets[:30])}",
            )
        return table
    for asset in given:
        if asset not in assets:
            raise ConfigError(
                f"simulation.asset_costs names {asset!r}, which is not in the data",
                f"{did_you_mean(asset, assets)}assets are {', '.join(assets[:30])}",
            )
    return {asset: _as_costs(f"asset {asset!r}", own) for asset, own in given.items()}


def _as_costs(where: str, own: float | AssetCosts | Mapping[str, str]) -> AssetCosts:
    if isinstance(own, AssetCosts):
        return own
    try:
        values = own if isinstance(own, Mapping) else {"cost_bps": own}
        return AssetCosts.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            f"simulation.asset_costs, {where}: {'.'.join(map(str, first['loc']))} is "
            f"{first['input']!r}",
            first["msg"],
        ) from None


def _read_csv(file: Path) -> dict[str, AssetCosts]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True)
            rows, columns = list(reader), list(reader.fieldnames or [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(
            f"simulation.asset_costs {file} cannot be read: {error}", "give the path of a CSV file"
        ) from None
    known = ("asset", *AssetCosts.model_fields)
    wrong = [column for column in columns if column not in known]
    if "asset" not in columns or wrong or len(columns) != len(set(columns)):
        raise ConfigError(
            f"simulation.asset_costs {file} has the columns {', '.join(columns) or 'none'}",
            f"give asset and any of {', '.join(known[1:])}, each once",
        )
    table: dict[str, AssetCosts] = {}
    for number, row in enumerate(rows, start=2):
        asset = (row.pop("asset") or "").strip()
        if not asset or asset in table or None in row:
            problem = "names no asset" if not asset else f"is the second for {asset!r}"
            problem = "has more values than columns" if None in row else problem
            raise ConfigError(f"simulation.asset_costs {file} line {number} {problem}", "mend it")
        given = {key: text.strip() for key, text in row.items() if text and text.strip()}
        table[asset] = _as_costs(f"{file} line {number}", given)
    return table


def trailing_liquidity(prices: Prices, bars: int) -> tuple[FloatArray, FloatArray]:
    """Average money traded per bar and volatility per bar over the latest sessions, (T, A) each.

    ``mean(volume * close)`` over the asset's bars with a volume among the latest ``bars``
    sessions, this one included, and ``sqrt(mean(log_return**2))`` over its returns there; NaN
    with no bar with a volume, or with fewer than two returns.

    Raises
    ------
    ConfigError
        If the prices have no volume.

    Known at: the close of t.
    """
    if prices.volume is None:
        raise ConfigError(
            f"{prices.source} has no volume, which simulation.impact_coefficient needs",
            "choose data with volume, or set simulation.impact_coefficient to 0",
        )
    money = _trailing_mean(np.asarray(prices.volume * prices.close), bars, 1)
    volatility = np.sqrt(_trailing_mean(prices.log_returns**2, bars, 2))
    return money, volatility


def impact_factors(prices: Prices, settings: SimulationSettings) -> FloatArray:
    """Cost of a trade as a fraction of its value, per root of its value in units of equity.

    ``coefficient * volatility / sqrt(money)``, with ``money`` the average traded per bar in units
    of equity, so that a trade of value v costs
    ``v * coefficient * volatility * sqrt(v / money)``.

    Returns
    -------
    ndarray
        (T, A), NaN where nothing was traded or the liquidity is not known: there is no fill then.

    Known at: the close of t.

    References
    ----------
    Almgren, Thum, Hauptmann, Li (2005), "Direct estimation of equity market impact", whose
    exponent is 0.6; the square root is the customary rounding of it (Gatheral 2010, section 4).
    """
    money, volatility = trailing_liquidity(prices, settings.impact_bars)
    in_equity = money * (settings.initial_equity / settings.capital)
    traded = np.where(in_equity > 0.0, in_equity, np.nan)
    return np.asarray(settings.impact_coefficient * volatility / np.sqrt(traded))


@njit(cache=True)
def _trailing_mean(values: FloatArray, bars: int, min_periods: int) -> FloatArray:
    """Mean of the finite values of the latest rows, each window added up on its own.

    A running sum would carry rounding errors of old rows into new ones.
    """
    out = np.full(values.shape, np.nan)
    for a in range(values.shape[1]):
        for t in range(values.shape[0]):
            total, count = 0.0, 0
            for k in range(max(0, t - bars + 1), t + 1):
                if np.isfinite(values[k, a]):
                    total += values[k, a]
                    count += 1
            if count >= min_periods:
                out[t, a] = total / count
    return out
