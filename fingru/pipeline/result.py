"""The result of a backtest as a person uses it: tables, figures and a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fingru.backtest.result import BacktestResult
from fingru.errors import ConfigError, did_you_mean
from fingru.store.runs import RunDirectory

if TYPE_CHECKING:
    import plotly.graph_objects as go

_SHOWN = {
    "sharpe": "Sharpe {:.2f}",
    "annual_return": "{:.1%} a year",
    "max_drawdown": "drawdown {:.1%}",
}


@dataclass(frozen=True, repr=False)
class Result:
    """A finished backtest: what was decided, what it was worth and, if it was stored, where.

    Parameters
    ----------
    result
        Tables and numbers, as the files of a run directory hold them.
    directory
        Where it is stored; None if it is in memory only.
    """

    result: BacktestResult
    directory: RunDirectory | None = None

    @property
    def metrics(self) -> dict[str, Any]:
        """``metrics.json``."""
        return self.result.metrics

    @property
    def manifest(self) -> dict[str, Any]:
        """``manifest.json``."""
        return self.result.manifest

    @property
    def forecasts(self) -> pd.DataFrame:
        """``forecasts.parquet``."""
        return self.result.forecasts

    @property
    def equity(self) -> pd.DataFrame:
        """``equity.parquet``."""
        return self.result.equity

    @property
    def weights(self) -> pd.DataFrame:
        """``weights.parquet``."""
        return self.result.weights

    @property
    def trades(self) -> pd.DataFrame:
        """``trades.parquet``."""
        return self.result.trades

    @property
    def returns(self) -> pd.Series:
        """Net simple returns of the chosen strategy by session."""
        block = self.equity[self.equity["strategy"] == self.result.strategy]
        return block.set_index("date")["net_return"].rename(self.result.strategy)

    def summary(self) -> pd.DataFrame:
        """Metrics (rows) of the chosen strategy, first, and its benchmarks (columns)."""
        from fingru.report import summary

        return summary(self.result)

    def figures(self) -> dict[str, go.Figure]:
        """Every figure of the report, by name."""
        from fingru.report.figures import figures

        return figures(self.result)

    def plot(self, figure: str = "equity", **options: Any) -> go.Figure:  # noqa: ANN401
        """One figure of the report: growth and drawdown beside the benchmarks, or another.

        Parameters
        ----------
        figure
            A key of ``figures``.
        options
            Of that figure, such as ``start``, ``end`` and ``log`` of ``equity``.

        Raises
        ------
        ConfigError
            If there is no such figure.
        """
        from fingru.report.figures import FIGURES

        if figure not in FIGURES:
            hint = did_you_mean(figure, FIGURES)
            raise ConfigError(
                f"there is no figure {figure!r}", f"{hint}there are {', '.join(FIGURES)}"
            )
        return FIGURES[figure](self.result, **options)

    def tear_sheet(self, path: str | Path | None = None) -> str:
        """The report as one HTML page that needs no network; written to ``path`` if given."""
        from fingru.report.html import render_html

        page = render_html(self.result)
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page

    def __repr__(self) -> str:
        """One line, however much it holds."""
        values = self.metrics.get("strategies", {}).get(self.result.strategy, {})
        numbers = [
            text.format(values[field])
            for field, text in _SHOWN.items()
            if values.get(field) is not None
        ]
        period = f"{values.get('start')} to {values.get('end')}"
        run = "" if self.directory is None else f", run {self.directory.run_id}"
        source = (self.manifest.get("data") or {}).get("source", "prices")
        what = f"{self.result.strategy} on {source}, {period}{run}"
        return f"<Result of {what}: {', '.join(numbers) or 'no returns'}>"

    def _repr_html_(self) -> str:
        """The main metrics beside the benchmarks, for notebooks."""
        from html import escape

        rows = self.summary().reindex(_SUMMARY)
        shown = rows.map(lambda v: "" if v is None or v != v else f"{v:.3f}")
        return f"<p>{escape(repr(self)[1:-1])}</p>{shown.to_html()}"


_SUMMARY = (
    "sharpe", "annual_return", "annual_volatility", "max_drawdown", "calmar", "var95", "cvar95",
    "turnover_per_year", "cost_per_year",
)  # fmt: skip
