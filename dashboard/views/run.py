"""Everything about one run, in tabs that draw only when opened."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from dashboard import screen, stored
from fingru.report.provenance import reproduce_command
from fingru.report.selection import has_forecasts

TABS = (
    "Summary", "Returns & risk", "Profit & luck", "Forecast quality", "Trades & costs", "Folds",
    "Model & config",
)  # fmt: skip
SCALES = {"Auto": None, "Linear": False, "Log": True}
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
        scale = st.segmented_control(
            "Scale", list(SCALES), default="Auto", required=True, key="scale", bind="query-params"
        )
    figure = stored.draw(run_id, "equity", start=start, log=SCALES[scale or "Auto"])
    screen.show_figure(figure, "equity")
    screen.show_table(stored.table(run_id, "strategies"), "strategies")


def _returns(run_id: str) -> None:
    start = screen.choose_window(_last_day(run_id))
    screen.show_figure(stored.draw(run_id, "monthly_returns", start=start), "monthly")
    left, right = st.columns(2)
    with left:
        screen.show_figure(stored.draw(run_id, "yearly_returns", start=start), "yearly")
    with right:
        figure = stored.draw(run_id, "return_distribution", start=start)
        screen.show_figure(figure, "distribution")
    screen.show_figure(stored.draw(run_id, "rolling", start=start), "rolling")
    screen.show_table(stored.table(run_id, "drawdowns"), "drawdowns")
    screen.show_table(stored.table(run_id, "years"), "years")


def _profit(run_id: str) -> None:
    tables = stored.stored_tables(run_id)
    for figure in ("profit", "profit_years"):
        screen.show_figure(stored.draw(run_id, figure), figure)
    for key in ("heads", "regimes", "differences", "certainty"):
        if key in tables:
            screen.show_table(tables[key], key)
    screen.show_figure(stored.draw(run_id, "cost_sensitivity"), "cost_sensitivity")
    for key in ("delays", "capacity", "sides", "asset_profit"):
        if key in tables:
            screen.show_table(tables[key], key)


def _forecasts(run_id: str) -> None:
    if not has_forecasts(stored.load(run_id)):
        st.info("This run has no forecasts: its strategy decides from prices alone.")
        return
    screen.show_table(stored.table(run_id, "forecasts"), "forecasts")
    screen.show_table(stored.table(run_id, "forecast_errors"), "forecast_errors")
    screen.show_figure(stored.draw(run_id, "score_gains"), "score_gains")
    left, right = st.columns(2)
    with left:
        screen.show_figure(stored.draw(run_id, "coverage"), "coverage")
    with right:
        screen.show_figure(stored.draw(run_id, "pit"), "pit")
    screen.show_figure(stored.draw(run_id, "volatility"), "volatility")
    screen.show_table(stored.table(run_id, "asset_scores"), "asset_scores")
    screen.show_table(stored.table(run_id, "calibration"), "calibration")
    st.page_link(
        "views/forecasts.py",
        label="Forecasts of one asset",
        icon=":material/arrow_forward:",
        query_params={"run": run_id},
    )


def _trades(run_id: str) -> None:
    start = screen.choose_window(_last_day(run_id))
    left, right = st.columns(2)
    with left:
        screen.show_figure(stored.draw(run_id, "costs", start=start), "costs")
    with right:
        screen.show_figure(stored.draw(run_id, "exposure", start=start), "exposure")
    screen.show_figure(stored.draw(run_id, "weights", start=start), "weights")
    screen.show_table(stored.table(run_id, "assets"), "assets")
    trades = stored.load(run_id).trades
    st.subheader("Trades", anchor=False)
    st.caption(
        f"The latest {min(len(trades), MOST_TRADES):,} of {len(trades):,}; the CSV has all. "
        "Weight is the traded value over equity, negative for a sale."
    )
    number = st.column_config.NumberColumn
    latest = trades.sort_values("date", ascending=False, kind="stable").head(MOST_TRADES)
    latest = latest.assign(weight=100.0 * latest["weight"], cost=10_000.0 * latest["cost"])
    st.dataframe(
        latest,
        hide_index=True, key="trades", alt="Latest trades",
        column_config={
            "date": st.column_config.DateColumn("Filled"),
            "asset": "Asset",
            "weight": number("Traded weight", format="%+.2f %%"),
            "price": number("Price", format="%.2f"),
            "cost": number("Cost / equity", format="%.3f bp"),
        },
    )  # fmt: skip


def _folds(run_id: str) -> None:
    if not has_forecasts(stored.load(run_id)):
        st.info("Nothing was fitted in this run, so there are no folds.")
        return
    screen.show_figure(stored.draw(run_id, "folds"), "folds")
    screen.show_figure(stored.draw(run_id, "losses"), "losses")
    screen.show_table(stored.table(run_id, "folds"), "fold_table")
    screen.show_figure(stored.draw(run_id, "gates"), "gates")
    screen.show_table(stored.table(run_id, "diagnostics"), "diagnostics")


def _config(run_id: str) -> None:
    screen.show_table(stored.table(run_id, "certificate"), "certificate")
    screen.show_table(stored.table(run_id, "checks"), "checks")
    screen.show_table(stored.table(run_id, "provenance"), "provenance")
    st.subheader("Command to reproduce", anchor=False)
    st.code(reproduce_command(stored.load(run_id)), language="bash", wrap_lines=True)
    screen.show_table(stored.table(run_id, "configuration"), "configuration")
    screen.show_table(stored.table(run_id, "fingerprints"), "fingerprints")


main()
