"""The tables of a run on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fingru.backtest.result import BacktestResult
from fingru.report import forecast_tables, money_tables
from fingru.report.provenance import header, leak_verdict, warnings_of
from fingru.report.table import Table

if TYPE_CHECKING:
    from rich.console import JustifyMethod, RenderableType
    from rich.table import Table as RichTable

_SHOWN_SCORES = (
    "model", "horizon", "log_score", "crps", "qlike", "coverage90", "coverage95", "ic", "ic_error",
    "n",
)  # fmt: skip
_SHOWN_ERRORS = ("model", "horizon", "rmse", "mae", "mase", "pinball", "price_mae", "price_mase")
_SHOWN_MONEY = (
    "strategy", "sharpe", "sharpe_ci95", "sortino", "annual_return", "annual_volatility",
    "max_drawdown", "calmar", "var95", "cvar95", "omega", "information_ratio",
    "turnover_per_year", "cost_per_year", "hit_rate", "break_even_cost_bps", "psr", "dsr",
    "dsr_trials", "start", "end", "periods",
)  # fmt: skip
_SHOWN_ASSETS = (
    "asset", "log_score", "baseline", "gain", "dm_p", "coverage90", "coverage95", "n",
)  # fmt: skip


def render_tables(result: BacktestResult) -> list[RenderableType]:
    """What ``fingru backtest`` prints at its end: header, warnings, strategies, scores, verdict.

    Returns
    -------
    list
        Rich renderables in order, one below the other.
    """
    from rich.text import Text

    parts: list[RenderableType] = [_header(result)]
    parts += [Text(f"! {warning}", style="yellow") for warning in warnings_of(result)]
    parts += [
        render_table(table)
        for table in (
            money_tables.strategies_table(result).only(*_SHOWN_MONEY),
            forecast_tables.forecasts_table(result).only(*_SHOWN_SCORES),
            forecast_tables.errors_table(result).only(*_SHOWN_ERRORS),
            forecast_tables.asset_scores_table(result).only(*_SHOWN_ASSETS),
        )
        if len(table.frame)
    ]
    passed, sentence = leak_verdict(result)
    colour = {True: "green", False: "bold red", None: "yellow"}[passed]
    parts.append(Text(f"Leak check: {sentence}", style=colour))
    return parts


def _header(result: BacktestResult) -> RichTable:
    from rich.markup import escape
    from rich.table import Table as RichTable

    grid = RichTable.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column()
    for name, value in header(result).items():
        grid.add_row(name, escape(value))
    return grid


def render_table(table: Table) -> RichTable:
    """One table for a terminal: numbers right-aligned, notes and reasons for n/a below."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table as RichTable

    below = [*table.notes, *table.reasons()]
    drawn = RichTable(
        title=escape(table.title), title_justify="left", title_style="bold", box=SIMPLE_HEAD,
        caption=escape("\n".join(below)) or None, caption_justify="left", caption_style="dim",
    )  # fmt: skip
    cells = [[escape(cell) for cell in row] for row in table.cells()]
    if table.transposed:
        drawn.add_column("")
        for row in cells:
            drawn.add_column(row[0], justify="right")
        for position, column in enumerate(table.columns[1:], start=1):
            drawn.add_row(escape(column.label), *(row[position] for row in cells))
        return drawn
    for column in table.columns:
        justify: JustifyMethod = "left" if column.fmt == "text" else "right"
        drawn.add_column(escape(column.label), justify=justify)
    for row in cells:
        drawn.add_row(*row)
    return drawn
