"""Forecasts of one asset with their bands and outcomes; calibration."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import screen, stored
from fingru.report.labels import label_of
from fingru.report.selection import assets_of, horizons_of, model_names

SPANS = {"3M": 3, "6M": 6, "1Y": 12, "3Y": 36, "Max": None}


def main() -> None:
    """Choose run, asset, horizon and model; show bands and calibration."""
    st.title("Forecasts", anchor=False)
    run_id = screen.choose_run()
    result = stored.load(run_id)
    if result.forecasts.empty:
        st.info("This run has no forecasts.")
        return
    asset, horizon, model, start = _choices(run_id)
    screen.show_figures(
        run_id, "forecast_bands", asset=asset, horizon=horizon, model=model, start=start
    )
    st.caption("Calibration below uses all forecasts of the run, not only the window above.")
    scopes = {"This asset": asset, "All assets": None}
    within = screen.choose("Calibration of", scopes, "fc_scope", "This asset")
    left, right = st.columns(2)
    with left:
        screen.show_figures(run_id, "coverage", horizon=horizon, asset=within)
    with right:
        screen.show_figures(run_id, "pit", horizon=horizon, asset=within, model=model)


def _choices(run_id: str) -> tuple[str, int, str, pd.Timestamp | None]:
    result = stored.load(run_id)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        asset = st.selectbox(
            "Asset", assets_of(result), key="fc_asset", bind="query-params", width=160
        )
        horizon = st.selectbox(
            "Horizon (bars)", horizons_of(result), key="fc_horizon", bind="query-params", width=140
        )
        model = st.selectbox(
            "Model", model_names(result), key="fc_model", bind="query-params", width=220,
            format_func=label_of,
        )  # fmt: skip
        months = screen.choose("Window", SPANS, "fc_win", "1Y")
    last = pd.Timestamp(result.forecasts["target"].max())
    start = None if months is None else last - pd.DateOffset(months=months)
    return str(asset), int(horizon or 1), str(model), start


main()
