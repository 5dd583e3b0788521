"""The forecast of one asset, its bands, and what then happened."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from fingru.backtest.result import BacktestResult
from fingru.distributions import from_columns
from fingru.report import theme
from fingru.report.labels import label_of
from fingru.report.selection import Day, forecasts_of, in_window, main_model

LEVELS = ((0.95, 0.10), (0.80, 0.18), (0.50, 0.30))
"""Central probability of each band and the opacity it is drawn with."""

NORMAL_95 = 1.96


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
    Of very many forecasts the latest are drawn.

    Parameters
    ----------
    result
        A finished run.
    asset, horizon, model
        Which forecasts; the model that the strategy used if None.
    start, end
        First and last target session; all if None.
    """
    model = main_model(result) if model is None else model
    words = {
        "asset": asset,
        "horizon": horizon,
        "model": label_of(model),
        "plural": "s" if horizon > 1 else "",
    }
    every = forecasts_of(result, model, horizon, asset)
    every = every[in_window(every["target"], start, end)]
    if every.empty:
        return theme.nothing_to_draw("forecast_bands", words=words)
    figure = theme.new_figure(
        "forecast_bands", words=words, height=400, hovermode="x unified",
        legend={"traceorder": "reversed"},
        xaxis=theme.axis(hover="%Y-%m-%d"), yaxis=theme.axis("log return", ".1%"),
    )  # fmt: skip
    table = every.iloc[-2 * theme.MAX_BUCKETS :].reset_index(drop=True)
    if len(table) < len(every):
        theme.add_to_caption(
            figure, f"The latest {len(table):,} of {len(every):,} forecasts are drawn."
        )
    days = theme.day_strings(table["target"])
    for level, alpha in LEVELS:
        band = {"x": days, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip",
                "legendgroup": f"band{level}"}  # fmt: skip
        lower, upper = from_columns(table).interval(level)
        figure.add_scatter(y=theme.compact(lower), meta=f"lower{level}", showlegend=False, **band)
        figure.add_scatter(
            y=theme.compact(upper), meta=f"upper{level}", name=f"{level:.0%} band", fill="tonexty",
            fillcolor=theme.tint(theme.GAIN, alpha), **band,
        )  # fmt: skip
    for sign in (1, -1):
        figure.add_scatter(
            x=days, y=theme.compact(table["mean"] + sign * NORMAL_95 * np.sqrt(table["variance"])),
            mode="lines", name="± 1.96 sigma", legendgroup="sigma", meta=f"sigma{sign:+d}",
            line={"color": theme.GAIN, "width": 1, "dash": "dot"}, showlegend=sign < 0,
            hovertemplate="%{y:.2%}",
        )  # fmt: skip
    figure.add_scatter(
        x=days, y=theme.compact(table["mean"]), name="Mean", mode="lines",
        line={"color": theme.GAIN, "width": 1.8}, hovertemplate="%{y:.2%}",
    )  # fmt: skip
    realized = table["realized"].to_numpy(dtype=float)
    low, high = from_columns(table).interval(0.95)
    outside = (realized < low) | (realized > high)
    theme.add_to_caption(
        figure,
        f"{outside.sum():,} of {len(table):,} realised returns ({100 * outside.mean():.1f} %) "
        "fell outside the 95 % band; crosses mark them.",
    )
    for name, key, rows, marker in (
        ("Realised", "inside", ~outside, {"size": 4, "color": theme.GREY}),
        (
            "Realised, outside 95 %",
            "outside",
            outside,
            {"size": 8, "color": theme.LOSS, "symbol": "x"},
        ),
    ):
        figure.add_scatter(
            x=days[rows], y=theme.compact(realized[rows]), name=name, mode="markers",
            marker=marker,
            meta=key, hovertemplate="%{y:+.2%}",
        )  # fmt: skip
    return figure
