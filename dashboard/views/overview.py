"""All stored runs, and the numbers of the newest one."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import screen, stored
from fingru.errors import StoreError
from fingru.report.labels import label_of
from fingru.report.table import Table

MOST_ROWS = 500


def main() -> None:
    """Show the newest run's numbers and the table of runs."""
    st.title("Runs", anchor=False)
    rows = stored.listed()
    if not rows:
        screen.no_runs()
        return
    newest = next((row["id"] for row in rows if row["status"] == "done"), None)
    if newest is not None:
        _newest(newest)
    shown = _filtered(rows)
    st.caption(f"{len(shown):,} of {len(rows):,} runs. Times are UTC.")
    frame, config = _table(shown[:MOST_ROWS])
    event = st.dataframe(
        frame, key="overview_runs", hide_index=True, on_select="rerun", placeholder="n/a",
        selection_mode="multi-row", column_config=config, alt="Stored runs",
    )  # fmt: skip
    _act([str(frame["Run"].iloc[k]) for k in event.selection.rows])


def _newest(run_id: str) -> None:
    try:
        stored.load(run_id)
    except StoreError as error:
        st.error(screen.plain(str(error)))
        return
    st.subheader(f"Newest finished run: {run_id}", anchor=False)
    screen.show_headlines(run_id)
    st.page_link(
        "views/run.py",
        label="Open this run",
        icon=":material/arrow_forward:",
        query_params={"run": run_id},
    )


def _filtered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Find", key="find", bind="query-params", width=280,
            placeholder="id, strategy, data or note",
        )  # fmt: skip
        kinds = sorted({row["status"] for row in rows})
        status = st.pills(
            "Status", kinds, selection_mode="multi", key="status", bind="query-params"
        )
    words = (text or "").lower().split()
    return [
        row
        for row in rows
        if (not status or row["status"] in status) and all(word in _text(row) for word in words)
    ]


def _text(row: dict[str, Any]) -> str:
    parts = (row["id"], row["strategy"], row["source"], row["note"])
    return " ".join(str(part) for part in parts if part).lower()


def _table(rows: list[dict[str, Any]]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Table of runs, and the configuration of its columns."""
    digests = [stored.digest(row["id"]) if row["status"] == "done" else {} for row in rows]
    shown = []
    for row, digest in zip(rows, digests, strict=True):
        first, last = row["first"], row["last"]
        written = {
            "strategy": label_of(row["strategy"]) if row["strategy"] else None,
            "period": f"{first[:10]} to {last[:10]}" if first and last else None,
            "created_at": (row["created_at"] or "")[:16].replace("T", " "),
        }
        shown.append(row | digest | written)
    frame, config = screen.columns_of(Table.of("runs", shown))
    frame.insert(1, "Growth", [digest.get("growth") for digest in digests])
    config["Growth"] = st.column_config.LineChartColumn(
        help="Equity of the chosen strategy, net of costs.", color="blue"
    )
    return frame, config


def _act(chosen: list[str]) -> None:
    """Buttons for the ticked rows."""
    if len(chosen) == 1 and st.button("Open the run", type="primary"):
        st.switch_page("views/run.py", query_params={"run": chosen[0]})
    if len(chosen) > 1:
        few = chosen[:6]
        if st.button(f"Compare {len(few)} runs", type="primary"):
            st.switch_page("views/compare.py", query_params={"runs": few})
    if not chosen:
        st.caption("Tick one run to open it, or two to six to compare them.")


main()
