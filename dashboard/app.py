"""Entry point of the web UI: ``streamlit run app.py -- --runs DIR``."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

_HERE = Path(__file__).resolve().parent
if str(_HERE.parent) not in sys.path:
    # Pages import ``dashboard.stored``, beside this script in a checkout, inside the package in a
    # wheel.
    sys.path.insert(0, str(_HERE.parent))

from dashboard import screen  # noqa: E402 - found by the path above
from fingru.errors import StoreError  # noqa: E402


def main() -> None:
    """Set up the app and run the chosen page."""
    st.set_page_config(
        page_title="fingru", page_icon=_HERE / "icon.svg", layout="wide",
        initial_sidebar_state="collapsed",
    )  # fmt: skip
    pages = [
        st.Page(_HERE / "views" / "overview.py", title="Overview", default=True),
        st.Page(_HERE / "views" / "run.py", title="Run", url_path="run"),
        st.Page(_HERE / "views" / "forecasts.py", title="Forecasts", url_path="forecasts"),
        st.Page(_HERE / "views" / "compare.py", title="Compare", url_path="compare"),
        st.Page(_HERE / "views" / "glossary.py", title="Glossary", url_path="glossary"),
    ]
    page = st.navigation(pages, position="top")
    try:
        page.run()
    except StoreError as error:  # such as an altered file, or an unreachable database
        st.error(screen.plain(str(error)))


main()
