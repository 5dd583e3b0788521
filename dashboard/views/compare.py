"""Comparison of two to six runs: growth, numbers, and the settings in which they differ."""

from __future__ import annotations

import streamlit as st

from dashboard import screen, stored
from fingru.errors import StoreError
from fingru.report.comparison import compare_runs, compared_growth

MOST = 6


def main() -> None:
    """Choose runs and compare them."""
    st.title("Compare", anchor=False)
    known = [row["id"] for row in stored.listed() if row["status"] in screen.SHOWN]
    if len(known) < 2:
        screen.no_runs() if not known else st.info("One finished run has nothing to compare with.")
        return
    in_url = st.query_params.get_all("runs")
    chosen = st.multiselect(
        "Runs", known, key="runs", max_selections=MOST, bind="query-params",
        placeholder="Choose two to six runs",
    )  # fmt: skip
    for name in in_url:
        if name not in known:
            st.warning(f"There is no finished run {screen.plain(name)} here.")
    if len(chosen) < 2:
        st.info("Choose at least two runs.")
        return
    try:
        results = [stored.load(run_id) for run_id in chosen]
    except StoreError as error:
        st.error(screen.plain(str(error)))
        return
    for run_id, result in zip(chosen, results, strict=True):
        for change in result.manifest.get("altered") or []:
            st.error(screen.plain(f"{run_id} was altered since it ended: {change}."))
    figure = compared_growth(results, screen.choose("Scale", screen.SCALES, "cmp_scale", "Auto"))
    screen.show_figure(figure, "compared")
    for k, table in enumerate(compare_runs(results)):
        screen.show_table(table, f"compare_{k}")


main()
