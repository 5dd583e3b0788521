"""All stored runs at a glance, and how the newest one did."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import screen, stored
from fingru.errors import StoreError
from fingru.report.labels import label_of

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
    frame = _frame(shown[:MOST_ROWS])
    event = st.dataframe(
        frame, key="overview_runs", hide_index=True, on_select="rerun", placeholder="n/a",
        selection_mode="multi-row", column_config=_columns(), alt="Stored runs",
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


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    digests = [stored.digest(row["id"]) if row["status"] == "done" else {} for row in rows]
    pairs = list(zip(rows, digests, strict=True))

    def numbers(name: str, factor: float = 1.0) -> pd.Series:
        return pd.to_numeric(pd.Series([row[name] for row in rows], dtype=object)) * factor

    return pd.DataFrame(
        {
            "Run": [row["id"] for row in rows],
            "Growth": [digest.get("growth") for digest in digests],
            "Status": [row["status"] for row in rows],
            "Strategy": [label_of(row["strategy"]) if row["strategy"] else None for row in rows],
            "Sharpe": numbers("sharpe"),
            "Max drawdown": numbers("max_drawdown", 100.0),
            "Return / year": numbers("annual_return", 100.0),
            "Turnover / year": numbers("turnover_per_year"),
            "Log-score gain": pd.to_numeric(
                pd.Series([digest.get("gain") for digest in digests], dtype=object)
            ),
            "Trials": pd.to_numeric(
                pd.Series([digest.get("trials") for digest in digests], dtype=object)
            ),
            "Data": [row["source"] for row in rows],
            "Assets": numbers("assets"),
            "Period": [_period(row) for row in rows],
            "Created (UTC)": [
                row["created_at"][:16].replace("T", " ") if row["created_at"] else None
                for row, _ in pairs
            ],
            "Note": [row["note"] for row in rows],
        }
    )


def _period(row: dict[str, Any]) -> str | None:
    return f"{row['first'][:10]} to {row['last'][:10]}" if row["first"] and row["last"] else None


def _columns() -> dict[str, Any]:
    number = st.column_config.NumberColumn
    return {
        "Run": st.column_config.TextColumn(pinned=True),
        "Growth": st.column_config.LineChartColumn(
            help="Equity of the chosen strategy, net of costs.", color="blue"
        ),
        "Sharpe": number(format="%.2f", help="Net of costs, out of sample."),
        "Max drawdown": number(format="%.1f %%"),
        "Return / year": number(format="%.1f %%"),
        "Turnover / year": number(format="%.2f"),
        "Log-score gain": number(
            format="%+.4f", help="Over the best baseline, nats per forecast, pooled."
        ),
        "Trials": number(help="Configurations tried on its test days up to this run."),
        "Period": st.column_config.TextColumn(help="First and last session of the data."),
    }


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
