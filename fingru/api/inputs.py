"""What may be given: prices or a DataFrame of them, and forecasts of the same sessions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fingru.errors import ConfigError, DataError, did_you_mean
from fingru.market.prices import Prices

if TYPE_CHECKING:
    from fingru.market.sources.tables import PricesInMemory

    AnyPrices = Prices | PricesInMemory


def as_prices(prices: AnyPrices) -> Prices:
    """Prices as they are, or made by ``Prices.from_frame``.

    Raises
    ------
    DataError
        If nothing can be made of it.
    """
    if isinstance(prices, Prices):
        return prices
    if isinstance(prices, str):
        raise DataError(
            f"{prices!r} is no table of prices", f"give fingru.load_prices({prices!r})"
        )
    return Prices.from_frame(prices)


def refuse_unknown(names: Iterable[str], known: Iterable[str], where: str) -> None:
    """Refuse the first name that is not known.

    Raises
    ------
    ConfigError
        Naming the nearest one.
    """
    offered = list(known)
    for name in names:
        if name not in offered:
            hint = did_you_mean(name, offered).strip()
            raise ConfigError(
                f"{where} has no parameter {name!r}", hint or f"it has {', '.join(offered)}"
            )
