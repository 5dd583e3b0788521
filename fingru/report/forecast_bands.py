"""The forecast of one asset, its bands, and what then happened."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from fingru.backtest.result import BacktestResult
from fingru.report import densities
from fingru.report.catalogue import label_of
from fingru.report.selection import Day, forecasts_of, in_window, main_model
from fingru.report.theme import (
    GAIN,
    GREY,
    LOSS,
    MAX_BUCKETS,
    About,
    add_to_caption,
    compact,
    day_strings,
    new_figure,
    nothing_to_draw,
    tint,
)

LEVELS = ((0.95, 0.10), (0.80, 0.18), (0.50, 0.30))
"""Central probability of each band and the opacity it is drawn with."""

NORMAL_95 = 1.96
Days = NDArray[np.object_]


def forecast_bands(
    result: BacktestResult,
    asset: str,
    horizon: int = 1,
    model: str | None = None,
    start: Day = None,
    end: Day = None,
) -> go.Figure:
    """Mean, 50, 80 and 95 % bands, mean +- 1.96 sigma, and the realised returns of one asset.

    Bands are quantiles of the forecast's own distribution. Everything stands at the target
    session, the one whose close ends the horizon; its forecast was made ``horizon`` bars before.

    Parameters
    ----------
    result
        A finished run.
    asset, horizon, model
        Which forecasts; the model that the strategy used if None.
    start, end
        First and last target session; all if None.
    """
    chosen = main_model(result) if model is None else model
    about = About(
        f"{asset}: forecasts and realised returns",
        f"{label_of(chosen)}, {horizon} bar{'s' if horizon > 1 else ''} ahead, each made before "
        "the return it is compared with. Bands hold 50, 80 and 95 % of the forecast distribution; "
        "dotted: mean ± 1.96 sigma.",
        f"Forecast bands of {asset} by {label_of(chosen)} with the realised returns as points.",
    )
    table = forecasts_of(result, chosen, horizon, asset)
    table = table[in_window(table["target"], start, end)].reset_index(drop=True)
    if table.empty:
        return nothing_to_draw(about, f"No {label_of(chosen)} forecasts of {asset} to draw")
    figure = new_figure(about, height=400)
    table = _thin(figure, table)
    days = day_strings(table["target"])
    for level, alpha in LEVELS:
        _add_band(figure, days, table, (level, alpha))
    _add_normal_band(figure, days, table)
    figure.add_scatter(
        x=days, y=compact(table["mean"]), name="Mean", mode="lines",
        line={"color": GAIN, "width": 1.8}, hovertemplate="%{y:.2%}",
    )  # fmt: skip
    _add_realised(figure, days, table)
    figure.update_layout(
        hovermode="x unified",
        xaxis={"hoverformat": "%Y-%m-%d"},
        yaxis={"tickformat": ".1%", "title": {"text": "log return"}},
        legend={"traceorder": "reversed"},
    )
    return figure


def _thin(figure: go.Figure, table: pd.DataFrame) -> pd.DataFrame:
    """Keep the latest rows that can be told apart; every earlier one is counted in the caption."""
    limit = 2 * MAX_BUCKETS
    if len(table) <= limit:
        return table
    add_to_caption(figure, f"The latest {limit:,} of {len(table):,} forecasts are drawn.")
    return table.iloc[-limit:].reset_index(drop=True)


def _add_band(
    figure: go.Figure, days: Days, table: pd.DataFrame, band: tuple[float, float]
) -> None:
    level, alpha = band
    group = {"legendgroup": f"band{level}", "mode": "lines", "line": {"width": 0}}
    lower = compact(densities.quantile(table, (1 - level) / 2))
    upper = compact(densities.quantile(table, (1 + level) / 2))
    figure.add_scatter(
        x=days, y=lower, showlegend=False, hoverinfo="skip", meta=f"lower{level}", **group
    )
    figure.add_scatter(
        x=days, y=upper, name=f"{level:.0%} band", fill="tonexty", fillcolor=tint(GAIN, alpha),
        meta=f"upper{level}", hoverinfo="skip",
        **group,
    )  # fmt: skip


def _add_normal_band(figure: go.Figure, days: Days, table: pd.DataFrame) -> None:
    width = NORMAL_95 * np.sqrt(table["variance"])
    for sign in (1, -1):
        figure.add_scatter(
            x=days, y=compact(table["mean"] + sign * width), mode="lines", name="± 1.96 sigma",
            legendgroup="sigma", line={"color": GAIN, "width": 1, "dash": "dot"},
            showlegend=sign < 0, hovertemplate="%{y:.2%}", meta=f"sigma{sign:+d}",
        )  # fmt: skip


def _add_realised(figure: go.Figure, days: Days, table: pd.DataFrame) -> None:
    realized = table["realized"].to_numpy(dtype=float)
    low, high = densities.quantile(table, 0.025), densities.quantile(table, 0.975)
    outside = (realized < low) | (realized > high)
    share = outside.mean()
    add_to_caption(
        figure,
        f"{outside.sum():,} of {len(table):,} realised returns ({100 * share:.1f} %) fell outside "
        "the 95 % band; crosses mark them.",
    )
    for name, rows, marker in (
        ("Realised", ~outside, {"size": 4, "color": GREY}),
        ("Realised, outside 95 %", outside, {"size": 8, "color": LOSS, "symbol": "x"}),
    ):
        figure.add_scatter(
            x=days[rows], y=compact(realized[rows]), name=name, mode="markers", marker=marker,
            meta="outside" if rows is outside else "inside", hovertemplate="%{y:+.2%}",
        )  # fmt: skip
