"""Figures, tables, numbers and messages on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from dashboard import stored
from fingru.errors import StoreError
from fingru.report.headlines import headlines
from fingru.report.labels import FORMATS, format_value
from fingru.report.provenance import header, warnings_of
from fingru.report.table import Table, is_blank
from fingru.report.theme import describe

SHOWN = ("done", "altered")
"""Statuses of runs that have results; an altered one says so in every header."""

AXIS_TEXT = "#797979"
"""Readable on the light and the dark background; a chart does not notice a change of theme."""

_REMOVED_BUTTONS = ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d", "pan2d"]
SCALES = {"Auto": None, "Linear": False, "Log": True}
"""Whether the growth axis is logarithmic; None leaves it to the figure."""

WINDOWS = {"1Y": 1, "3Y": 3, "5Y": 5, "Max": None}


def show_figure(figure: go.Figure, key: str) -> None:
    """Heading, chart with alternative text, caption."""
    about = describe(figure)
    st.subheader(about.title, anchor=False)
    figure.update_xaxes(tickfont_color=AXIS_TEXT, title_font_color=AXIS_TEXT)
    figure.update_yaxes(tickfont_color=AXIS_TEXT, title_font_color=AXIS_TEXT)
    st.plotly_chart(
        figure, key=key, alt=about.alt,
        config={"displaylogo": False, "modeBarButtonsToRemove": _REMOVED_BUTTONS},
    )  # fmt: skip
    st.caption(about.caption)


def show_figures(run_id: str, *keys: str | tuple[str, ...], **options: object) -> None:
    """Figures of a run below each other, those of a tuple side by side."""
    for row in keys:
        names = (row,) if isinstance(row, str) else row
        for column, name in zip(st.columns(len(names)), names, strict=True):
            with column:
                show_figure(stored.draw(run_id, name, **options), name)


def show_tables(run_id: str, *keys: str) -> None:
    """Tables of a run, without those that it has not stored."""
    for key in keys:
        table = stored.table(run_id, key)
        if table is not None:
            show_table(table, f"table_{key}")


def show_table(table: Table, key: str) -> None:
    """Table with explained headings, its notes, and the reasons for n/a."""
    st.subheader(table.title, anchor=False)
    if table.frame.empty:
        st.caption(" ".join(table.notes) or "Nothing to show in this run.")
        return
    frame, config = _transposed(table) if table.transposed else columns_of(table)
    st.dataframe(
        frame, key=key, hide_index=True, column_config=config, placeholder="n/a",
        width="content" if table.transposed else "stretch", alt=table.title,
        height="content" if len(frame) <= 30 else 600,
    )  # fmt: skip
    for note in (*table.notes, *table.reasons()):
        st.caption(note)


def columns_of(table: Table) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Table with numbers as numbers in their shown unit, so that columns sort."""
    shown: dict[str, Any] = {}
    config: dict[str, Any] = {}
    for position, column in enumerate(table.columns):
        values = table.frame[column.name]
        look: dict[str, Any] = {"help": column.meaning or None, "pinned": position == 0}
        if number := FORMATS.get(column.fmt):
            shown[column.label] = pd.to_numeric(values, errors="coerce") * number.factor
            config[column.label] = st.column_config.NumberColumn(format=number.printf, **look)
        else:
            texts = [None if is_blank(v) else format_value(v, column.fmt) for v in values]
            shown[column.label] = texts
            config[column.label] = st.column_config.TextColumn(**look)
    return pd.DataFrame(shown), config


def _transposed(table: Table) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Values as text, one row per number."""
    frame = pd.DataFrame({"": [column.label for column in table.columns[1:]]})
    config: dict[str, Any] = {"": st.column_config.TextColumn(pinned=True)}
    for row in table.cells():
        frame[row[0]] = row[1:]
        config[row[0]] = st.column_config.TextColumn(alignment="right")
    return frame, config


def show_headlines(run_id: str) -> None:
    """The eight numbers at the top of a run, two per row on a phone."""
    grid = st.grid(4, min_column_width=150)
    with stored.explained(run_id):
        shown = headlines(stored.load(run_id))
    for label, value, detail, meaning in shown:
        with grid.cell(), st.container(border=True):
            st.metric(label, value, help=meaning)
            st.caption(detail)


def show_header(run_id: str) -> None:
    """Period, data, costs and so on of a result; then warnings."""
    result = stored.load(run_id)
    with stored.explained(run_id):
        facts, warnings = header(result), warnings_of(result)
    st.markdown(" · ".join(f"{name}: **{plain(value)}**" for name, value in facts.items()))
    for warning in warnings:
        st.warning(plain(warning))


def plain(text: str) -> str:
    """Text escaped for Streamlit's Markdown."""
    for sign in ("\\", "*", "_", "`", "[", "]", "$", "~", ":", "<"):
        text = text.replace(sign, f"\\{sign}")
    return text


def no_runs() -> None:
    """What to do when nothing is stored yet."""
    st.info(f"No runs are stored in `{stored.runs_root()}` yet. This command makes one:")
    st.code("fingru backtest", language="bash")
    st.caption("Another folder? Start the dashboard with `fingru dashboard --runs DIR`.")


def choose_run() -> str:
    """Picker of a run, by default the newest finished one; stops the page if nothing can be shown.

    The choice is in the URL as ``run``.
    """
    rows = stored.listed()
    if not rows:
        no_runs()
        st.stop()
    known = [row["id"] for row in rows]
    in_url = st.query_params.get("run")
    newest = next((row["id"] for row in rows if row["status"] == "done"), known[0])
    picked = st.selectbox(
        "Run", known, index=None, key="run", bind="query-params", placeholder=f"newest: {newest}"
    )
    if in_url and in_url not in known:
        st.warning(f"There is no run {plain(in_url)} here; this is the newest one.")
    run_id = str(picked or newest)
    row = next(row for row in rows if row["id"] == run_id)
    if row["status"] not in SHOWN:
        _unfinished(row)
        st.stop()
    try:
        stored.load(run_id)
    except StoreError as error:
        st.error(plain(str(error)))
        st.stop()
    return run_id


def _unfinished(row: dict[str, Any]) -> None:
    status = row["status"]
    if status == "running":
        st.info("This run is still working; its results appear here when it is done.")
    elif status == "damaged":
        st.error("The manifest of this run cannot be read. This command says what is wrong:")
        st.code(f"fingru runs verify {row['id']}", language="bash")
    else:
        st.warning(
            f"This run {'failed' if status == 'failed' else 'was interrupted'}. Go on with:"
        )
        st.code(f"fingru backtest --resume {row['id']}", language="bash")


def choose(label: str, options: Mapping[str, Any], key: str, default: str) -> Any:  # noqa: ANN401
    """Value in ``options`` of the chosen segment; the choice is in the URL."""
    picked = st.segmented_control(
        label, list(options), default=default, required=True, key=key, bind="query-params"
    )
    return options[picked or default]


def choose_window(last: pd.Timestamp, key: str = "win") -> pd.Timestamp | None:
    """First day of the chosen window up to ``last``; None for everything."""
    years = choose("Window", WINDOWS, key, "Max")
    return None if years is None else last - pd.DateOffset(years=years) + pd.Timedelta(days=1)
