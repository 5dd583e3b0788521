"""What a simulated strategy decided and earned: its account, and the tables of a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru.arrays import FloatArray, IntArray
from fingru.backtest.accounting import (
    COMMISSION,
    IMPACT,
    NEXT_CLOSE,
    NEXT_OPEN,
    SAME_CLOSE,
    SLIPPAGE,
    SPREAD,
    Account,
    BrokerTerms,
    Quotes,
    over_equity,
)
from fingru.market.prices import Prices
from fingru.market.sessions import session_name

_FILLS = {SAME_CLOSE: "same_close", NEXT_OPEN: "next_open", NEXT_CLOSE: "next_close"}


@dataclass(frozen=True)
class Simulation:
    """What a strategy did and earned over N periods; the tables are made when they are asked for.

    Parameters
    ----------
    name
        Strategy, as in the ``strategy`` column.
    prices
        The panel.
    first_row
        Session of the first decision, row 0 of the account.
    targets
        (N, A) weights carried out, row i decided at row i of the account; NaN where holdings were
        left.
    quotes, terms, account
        What the account was settled with, and the account itself; read-only.
    limit_notes
        What the limits changed, one sentence each.
    """

    name: str
    prices: Prices = field(repr=False)
    first_row: int
    targets: FloatArray = field(repr=False)
    quotes: Quotes = field(repr=False)
    terms: BrokerTerms = field(repr=False)
    account: Account = field(repr=False)
    limit_notes: tuple[str, ...] = ()

    @property
    def fill(self) -> str:
        """When decisions were filled: ``next_open``, ``next_close`` or ``same_close``."""
        return _FILLS[self.terms.timing]

    @property
    def dates(self) -> pd.DatetimeIndex:
        """The N + 1 sessions of the account."""
        return self.prices.index[self.first_row : self.first_row + len(self.account.equity)]

    @cached_property
    def equity(self) -> pd.DataFrame:
        """One row per period, dated by its end; the first starts at the first decision.

        date, strategy, net_return, gross_return, equity, drawdown, turnover, cost, leverage.
        ``turnover`` and ``cost`` are fractions of the equity at the start of the period, so that
        ``gross_return - net_return = cost``. ``drawdown`` starts from the initial equity.
        ``leverage`` is the sum of absolute holdings over equity at the close.
        """
        account = self.account
        start, end = account.equity[:-1], account.equity[1:]
        cost = over_equity(account.cost[1:], start)
        return pd.DataFrame(
            {
                "date": self.dates[1:],
                "strategy": pd.Series([self.name] * len(end), dtype="str"),
                "net_return": account.net_returns,
                "gross_return": account.net_returns + cost,
                "equity": end,
                "drawdown": end / np.maximum.accumulate(account.equity)[1:] - 1.0,
                "turnover": over_equity(np.abs(account.traded[1:]).sum(axis=1), start),
                "cost": cost,
                "leverage": over_equity(np.abs(account.holdings[1:]).sum(axis=1), end),
            }
        )

    @cached_property
    def weights(self) -> pd.DataFrame:
        """Targets of every decision as the limits let them be carried out, all assets.

        date (decision session), asset, weight; no rows for a session in which the strategy left
        its holdings untouched.
        """
        n_assets = self.prices.n_assets
        decided = np.flatnonzero(~np.isnan(self.targets).any(axis=1))
        return pd.DataFrame(
            {
                "date": self.dates[decided].repeat(n_assets),
                "asset": self._names(np.tile(np.arange(n_assets), decided.size)),
                "weight": self.targets[decided].ravel(),
            }
        )

    @cached_property
    def trades(self) -> pd.DataFrame:
        """Every trade and every delisting, by date.

        date (fill session), asset, weight (traded value), price, cost, reason (``decision``,
        ``drawdown_limit``, or ``delisted``: turned into cash). ``weight`` and ``cost`` are
        fractions of the equity at the start of the period, so that they add up to ``turnover``
        and ``cost`` of ``equity``.
        """
        account, quotes = self.account, self.quotes
        bought, bought_of = np.nonzero(account.traded)
        closed, closed_of = np.nonzero(account.closed)
        filled = self._filled_in(bought)
        kept = 1.0 - self.terms.delisting_loss
        left = account.closed[closed, closed_of] * kept
        last = quotes.mark[closed, closed_of] * kept
        paid = np.concatenate([account.cost_by_asset[bought, bought_of], np.zeros(closed.size)])
        before = account.equity[np.concatenate([bought, closed]) - 1]
        reasons = np.concatenate(
            [account.stopped[bought].astype(np.intp), np.full(closed.size, 2)]
        )
        trades = pd.DataFrame(
            {
                "date": self.dates[np.concatenate([filled, closed])],
                "asset": self._names(np.concatenate([bought_of, closed_of])),
                "weight": np.concatenate([account.traded[bought, bought_of], left]) / before,
                "price": np.concatenate([quotes.fill[filled, bought_of], last]),
                "cost": paid / before,
                "reason": _texts(("decision", "drawdown_limit", "delisted"), reasons),
            }
        )
        return trades.sort_values("date", kind="stable", ignore_index=True)

    @cached_property
    def unfilled(self) -> pd.DataFrame:
        """Every order that could not be filled when it was due.

        date (session in which it should have been filled), asset, weight (the target), reason:
        ``no_bar`` (closed, halted or not listed), ``no_price`` (a bar without an open) or
        ``no_volume`` (no known liquidity for the market impact); such an order waits for the
        asset's next bar. ``delisted`` is the end of one that waited in vain.
        """
        account = self.account
        row, asset = np.nonzero(account.unfilled)
        waited = account.waiting[row - 1, asset] / account.equity[row - 1]
        decided = self.targets[row - 1, asset]
        reasons = ("no_bar", "no_price", "no_volume", "delisted")
        return pd.DataFrame(
            {
                "date": self.dates[self._filled_in(row)],
                "asset": self._names(asset),
                "weight": np.where(np.isnan(decided), waited, decided),
                "reason": _texts(reasons, account.unfilled[row, asset] - 1),
            }
        )

    @cached_property
    def costs(self) -> pd.DataFrame:
        """What was paid for what in each period, as fractions of the equity at its start.

        date, commission (fixed fees with it), spread, slippage and impact, which add up to
        ``cost`` of ``equity``; borrow is paid and interest received besides.
        """
        account = self.account
        parts = {
            "commission": account.cost_parts[1:, COMMISSION],
            "spread": account.cost_parts[1:, SPREAD],
            "slippage": account.cost_parts[1:, SLIPPAGE],
            "impact": account.cost_parts[1:, IMPACT],
            "borrow": account.borrow[1:].sum(axis=1),
            "interest": account.interest[1:],
        }
        start = account.equity[:-1]
        values = {name: over_equity(part, start) for name, part in parts.items()}
        return pd.DataFrame({"date": self.dates[1:], **values})

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What the reader of the result must know, one sentence each.

        Ruin, same-close fills, limits that took hold, orders that could not be filled.
        """
        return (*self._notes(), *self.limit_notes)

    def _notes(self) -> Iterator[str]:
        name, account, dates = self.name, self.account, self.dates
        ruined = np.flatnonzero(account.equity <= 0.0)
        if ruined.size:
            day = session_name(dates[ruined[0]])
            yield f"{name} lost all its equity on {day} and stays at zero"
        if self.terms.timing == SAME_CLOSE:
            yield (
                f"{name} was filled at the close it decided on (same_close), which is not "
                "possible in practice"
            )
        stopped = np.flatnonzero(account.stopped)
        if stopped.size:
            yield (
                f"the drawdown limit closed all positions of {name} after "
                f"{session_name(dates[stopped[0] - 1])} and kept it in cash for {stopped.size} "
                "sessions"
            )
        missed, waits = account.unfilled > 0, account.waits
        sentences = {
            "found the market closed and waited for the asset's next bar": missed & waits,
            "lapsed, because the asset was not listed any more or not yet": missed & ~waits,
        }
        for sentence, which in sentences.items():
            rows, assets = np.nonzero(which)
            if rows.size:
                first = self.prices.assets[assets[0]]
                when = session_name(dates[self._filled_in(rows)[0]])
                plural = "orders" if rows.size > 1 else "order"
                yield f"{rows.size} {plural} of {name} {sentence} (the first: {first} on {when})"

    def _filled_in(self, row: IntArray) -> IntArray:
        """Session whose prices the orders booked in ``row`` were filled at."""
        return row - 1 if self.terms.timing == SAME_CLOSE else row

    def _names(self, which: IntArray) -> pd.api.extensions.ExtensionArray:
        return _texts(self.prices.assets, which)


def _texts(
    choices: tuple[str, ...], which: NDArray[np.integer[Any]]
) -> pd.api.extensions.ExtensionArray:
    """Texts by number; each is made once, which is what makes a million rows quick."""
    return pd.array(list(choices), dtype="str").take(which)
