"""How figures look: colours that work on white and on dark, one layout, compact data.

Colours keep at least 3:1 contrast on ``#FFFFFF`` and ``#0E1117`` and tell gain from loss for
colour-blind readers, so no figure needs a second version for a dark page.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

GAIN = "#2F81D6"
LOSS = "#D9621E"
GREY = "#7A7F87"
LINES = (GAIN, "#D9621E", "#1B9E76", "#A8579A")
"""At most four lines are told apart by colour; the rest are grey."""

DASHES = ("dash", "dot", "dashdot", "longdash", "longdashdot")
DIVERGING = (
    (0.0, "#C2410C"),
    (0.25, "#F3B183"),
    (0.5, "#F7F7F7"),
    (0.75, "#8DBBEA"),
    (1.0, "#1F6FC0"),
)
MAX_BUCKETS = 3000
"""A line with more than twice this many points is thinned to the extremes of this many spans."""

_AXIS = {
    "gridcolor": "rgba(122,127,135,0.22)",
    "linecolor": "rgba(122,127,135,0.5)",
    "zerolinecolor": "rgba(122,127,135,0.6)",
    "zerolinewidth": 1,
    "automargin": True,
    "title": {"standoff": 6, "font": {"size": 12}},
}
_TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": "system-ui, 'Segoe UI', 'Liberation Sans', sans-serif", "size": 12.5},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "colorway": list(LINES),
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "hoverlabel": {"align": "left", "namelength": 28},
    }
)


class FigureMeta(NamedTuple):
    """The words that travel with a figure, in ``figure.layout.meta``.

    ``title`` is its heading, ``caption`` says what is drawn and how to read it, ``alt`` what a
    reader who cannot see the figure should know.
    """

    title: str
    caption: str
    alt: str


@cache
def _texts() -> dict[str, dict[str, str]]:
    path = resources.files("fingru.report") / "figures.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def new_figure(
    key: str, height: int = 360, *, words: Mapping[str, object] | None = None, **layout: object
) -> go.Figure:
    """Empty figure in the common layout with the texts of ``figures.toml`` under ``key``.

    ``words`` fill their placeholders; ``layout`` is what this figure has beyond the common one.
    """
    texts = {name: text.format_map(words or {}) for name, text in _texts()[key].items()}
    figure = go.Figure()
    figure.update_layout(
        template=_TEMPLATE,
        height=height,
        margin={"l": 56, "r": 16, "t": 36, "b": 36},
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "xanchor": "left"},
        meta={name: texts[name] for name in FigureMeta._fields},
    )
    return figure.update_layout(**layout)


def nothing_to_draw(
    key: str, *, words: Mapping[str, object] | None = None, reason: str | None = None
) -> go.Figure:
    """Figure that says why it is empty instead of leaving a blank frame."""
    reason = _texts()[key]["empty"].format_map(words or {}) if reason is None else reason
    figure = new_figure(
        key, height=140, words=words, xaxis={"visible": False}, yaxis={"visible": False},
        annotations=[
            {"text": reason, "xref": "paper", "yref": "paper", "x": 0.5, "y": 0.5,
             "showarrow": False, "font": {"size": 14}}
        ],
    )  # fmt: skip
    figure.layout.meta = {**figure.layout.meta, "empty": reason}
    return figure


def describe(figure: go.Figure) -> FigureMeta:
    """The heading, caption and alternative text of a figure of this room."""
    meta: dict[str, Any] = figure.layout.meta
    return FigureMeta(meta["title"], meta["caption"], meta["alt"])


def add_to_caption(figure: go.Figure, sentence: str) -> None:
    """Append a sentence to the caption."""
    meta: dict[str, Any] = figure.layout.meta
    figure.layout.meta = {**meta, "caption": f"{meta['caption']} {sentence}".strip()}


def axis(title: str = "", tick: str = "", hover: str = "", **more: object) -> dict[str, Any]:
    """Axis with its title and d3 formats of ticks and hover; what is empty is left as it is."""
    formats = {key: text for key, text in (("tickformat", tick), ("hoverformat", hover)) if text}
    return ({"title": {"text": title}} if title else {}) | formats | more


def two_panes(figure: go.Figure, upper: dict[str, Any], lower: dict[str, Any]) -> go.Figure:
    """Split a figure into two panes with one x axis, one crosshair and one tooltip."""
    return figure.update_layout(
        hovermode="x unified",
        hoversubplots="axis",
        xaxis={"anchor": "y2", "hoverformat": "%Y-%m-%d"},
        yaxis={"domain": [0.34, 1.0]} | upper,
        yaxis2={**_AXIS, "domain": [0.0, 0.27]} | lower,
    )


def add_line(
    figure: go.Figure,
    dates: pd.Series | pd.DatetimeIndex,
    values: pd.Series,
    name: str,
    *,
    line: dict[str, Any],
    lower: bool = False,
    **trace: object,
) -> bool:
    """Draw a line over dates; ``lower`` is the second pane, which has no legend.

    Returns
    -------
    bool
        Whether it was thinned to its extremes (``extreme_rows``).
    """
    rows = extreme_rows(values.to_numpy())
    pane = {"yaxis": "y2", "showlegend": False} if lower else {}
    figure.add_scatter(
        x=day_strings(dates[rows] if isinstance(dates, pd.DatetimeIndex) else dates.iloc[rows]),
        y=compact(values.iloc[rows]), name=name, mode="lines", line=line, **(pane | trace),
    )  # fmt: skip
    return len(rows) < len(values)


def ranked_line(position: int, width: float = 1.8) -> dict[str, Any]:
    """Line of the chosen one (position 0), or of what it is compared with: thin, grey, dashed."""
    if position == 0:
        return {"color": GAIN, "width": width}
    return {"color": GREY, "width": 1.2, "dash": DASHES[(position - 1) % len(DASHES)]}


def gain_colours(values: NDArray[Any] | pd.Series) -> list[str]:
    """Colour of each value: that of losses below 0, else that of gains."""
    return [LOSS if value < 0 else GAIN for value in values]


def day_strings(stamps: pd.Series | pd.DatetimeIndex) -> NDArray[np.object_]:
    """ISO text of each stamp, with minutes if there are any; smaller than plotly's encoding."""
    index = pd.DatetimeIndex(stamps)
    whole_days = bool((index == index.normalize()).all())
    return np.asarray(index.strftime("%Y-%m-%d" if whole_days else "%Y-%m-%d %H:%M"), dtype=object)


def compact(values: pd.Series | NDArray[Any]) -> NDArray[np.float32]:
    """Values as float32, which plotly sends as base64."""
    return np.asarray(values, dtype=np.float32)


def extreme_rows(values: NDArray[Any], buckets: int = MAX_BUCKETS) -> NDArray[np.intp]:
    """Rows to draw of a long line: first, last, smallest and largest of each of ``buckets`` spans.

    All rows when there are at most ``2 * buckets``, so that peaks and troughs are never lost.

    Examples
    --------
    >>> extreme_rows(np.array([0.0, 5.0, 1.0, 2.0, -3.0, 0.5]), buckets=1).tolist()
    [0, 1, 4, 5]
    """
    n = len(values)
    if n <= 2 * buckets:
        return np.arange(n)
    filled = np.nan_to_num(np.asarray(values, dtype=float))
    chosen = [0, n - 1]
    for span in np.array_split(np.arange(n), buckets):
        chosen += [span[filled[span].argmin()], span[filled[span].argmax()]]
    return np.unique(chosen)


def log_ticks(low: float, high: float) -> dict[str, Any]:
    """Log axis whose ticks do not crowd; ``low`` and ``high`` are positive."""
    return {"type": "log", "dtick": "D1" if high / low <= 12 else "D2", "tickformat": "~g"}


def tint(colour: str, alpha: float) -> str:
    """``#RRGGBB`` as ``rgba``.

    Examples
    --------
    >>> tint("#2F81D6", 0.25)
    'rgba(47,129,214,0.25)'
    """
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"
