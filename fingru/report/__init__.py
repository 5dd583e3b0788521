"""Tables and figures of a run: pure functions of a ``BacktestResult``.

The command line, the HTML report and the dashboard all draw with this room, so a number looks the
same and is the same everywhere. Nothing is estimated here that the backtest and forecast rooms
already decided: figures re-arrange stored numbers, and statistics are taken on all rows before a
long line is thinned for drawing. Identifiers become words for people only here (``catalogue``).

    result -> figures (plotly) / tables (frames) -> html, terminal, dashboard
"""

from fingru.report.loading import load_result

__all__ = ["load_result"]
