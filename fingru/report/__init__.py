"""Tables and figures of a run: pure functions of a ``BacktestResult``.

The command line, the HTML report and the dashboard all draw with this room, so a number looks the
same and is the same everywhere. Nothing is estimated here that the backtest and forecast rooms
already decided: figures re-arrange stored numbers, and statistics are taken on all rows before a
long line is thinned for drawing. Identifiers become words for people only here (``labels``).

    result -> figures (plotly) / tables (frames) -> html, terminal, dashboard
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fingru.report.html import render_html
    from fingru.report.loading import load_result
    from fingru.report.money_tables import summary
    from fingru.report.performance import equity_and_drawdown as overview
    from fingru.report.returns_page import tear_sheet

__all__ = ["load_result", "overview", "render_html", "summary", "tear_sheet"]
_HOMES = {
    "load_result": ("loading", "load_result"),
    "overview": ("performance", "equity_and_drawdown"),
    "render_html": ("html", "render_html"),
    "summary": ("money_tables", "summary"),
    "tear_sheet": ("returns_page", "tear_sheet"),
}


def __getattr__(name: str) -> object:
    """Load what is asked for on first use: plotly and pandas stay out of ``import fingru``."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, function = _HOMES[name]
    return getattr(import_module(f"{__name__}.{module}"), function)
