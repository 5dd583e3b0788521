"""Everything about one run, in tabs that draw only when opened."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from dashboard import screen, stored
from fingru.report.provenance import reproduce_command
from fingru.report.selection import has_forecasts
from fingru.report.table import Table

TABS = (
    "Summary", "Returns & risk", "Profit & luck", "Forecast quality", "Trades & costs", "Folds",
    "Model & config",
)  # fmt: skip
MOST_TRADES = 1000


def main() -> None:
    """Choose a run and show the open tab."""
    st.title("Run", anchor=False)
    run_id = screen.choose_run()
    screen.show_header(run_id)
    _downloads(run_id)
    draw = (_summary, _returns, _profit, _forecasts, _trades, _folds, _config)
    tabs = st.tabs(TABS, key="tab", on_change="rerun", bind="query-params")
    for tab, show in zip(tabs, draw, strict=True):
        if tab.open:
            with tab:
                show(run_id)


def _downloads(run_id: str) -> None:
    result = stored.load(run_id)
    with st.container(horizontal=True):
        st.download_button(
            "Report (HTML)", lambda: stored.report_page(run_id), f"fingru-{run_id}.html",
            "text/html", key="get_report", on_click="ignore", icon=":material/download:",
        )  # fmt: skip
        for name in ("equity", "forecasts", "weights", "trades"):
            frame: pd.DataFrame = getattr(result, name)
            st.download_button(
                f"{name.capitalize()} (CSV)", partial(_csv, frame),
                f"fingru-{run_id}-{name}.csv", "text/csv", key=f"get_{name}", on_click="ignore",
                type="tertiary",
            )  # fmt: skip


def _csv(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False)


def _last_day(run_id: str) -> pd.Timestamp:
    dates = stored.load(run_id).equity["date"]
    return pd.Timestamp(dates.max()) if len(dates) else pd.Timestamp("2000-01-01")


def _summary(run_id: str) -> None:
    screen.show_headlines(run_id)
    with st.container(horizontal=True):
        start = screen.choose_window(_last_day(run_id))
        log = screen.choose("Scale", screen.SCALES, "scale", "Auto")
    screen.show_figures(run_id, "equity", start=start, log=log)
    screen.show_tables(run_id, "strategies")


def _returns(run_id: str) -> None:
    start = screen.choose_window(_last_day(run_id))
    screen.show_figures(
        run_id, "monthly_returns", ("yearly_returns", "return_distribution"), "rolling",
        start=start,
    )  # fmt: skip
    screen.show_tables(run_id, "drawdowns", "years")


def _profit(run_id: str) -> None:
    screen.show_figures(run_id, "profit", "profit_years")
    screen.show_tables(run_id, "heads", "regimes", "differences", "certainty")
    screen.show_figures(run_id, "cost_sensitivity")
    screen.show_tables(run_id, "delays", "capacity", "sides", "asset_profit")


def _forecasts(run_id: str) -> None:
    if not has_forecasts(stored.load(run_id)):
        st.info("This run has no forecasts: its strategy decides from prices alone.")
        return
    screen.show_tables(run_id, "forecasts", "forecast_errors")
    screen.show_figures(run_id, "score_gains", ("coverage", "pit"), "volatility")
    screen.show_tables(run_id, "asset_scores", "calibration")
    st.page_link(
        "views/forecasts.py",
        label="Forecasts of one asset",
        icon=":material/arrow_forward:",
        query_params={"run": run_id},
    )


def _trades(run_id: str) -> None:
    start = screen.choose_window(_last_day(run_id))
    screen.show_figures(run_id, ("costs", "exposure"), "weights", start=start)
    screen.show_tables(run_id, "assets")
    trades = stored.load(run_id).trades
    latest = trades.sort_values("date", ascending=False, kind="stable").head(MOST_TRADES)
    latest = latest.assign(cost=10_000.0 * latest["cost"])
    note = f"The latest {len(latest):,} of {len(trades):,}; the CSV has all."
    screen.show_table(Table.of("trades", latest, notes=(note,)), "trades")


def _folds(run_id: str) -> None:
    if not has_forecasts(stored.load(run_id)):
        st.info("Nothing was fitted in this run, so there are no folds.")
        return
    screen.show_figures(run_id, "folds", "losses")
    screen.show_tables(run_id, "folds")
    screen.show_figures(run_id, "gates")
    screen.show_tables(run_id, "diagnostics")


def _config(run_id: str) -> None:
    screen.show_tables(run_id, "certificate", "checks", "provenance")
    st.subheader("Command to reproduce", anchor=False)
    st.code(reproduce_command(stored.load(run_id)), language="bash", wrap_lines=True)
    screen.show_tables(run_id, "configuration", "fingerprints")


main()
