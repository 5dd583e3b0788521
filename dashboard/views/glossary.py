"""What every number on the other pages means."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from fingru.report.labels import LETTERS, TERMS


def main() -> None:
    """List the catalogue of terms."""
    st.title("Glossary", anchor=False)
    st.caption("The same definitions stand behind the question marks of tables and numbers.")
    st.caption(LETTERS)
    frame = pd.DataFrame(
        {
            "Number": [term.label for term in TERMS.values()],
            "Meaning": [term.meaning for term in TERMS.values()],
            "Formula": [term.formula for term in TERMS.values()],
            "n/a means": [term.undefined for term in TERMS.values()],
        }
    )
    st.table(frame, hide_index=True, alt="Definitions of all numbers")


main()
