"""The web UI: reads stored runs and draws them with ``fingru.report``; it computes nothing itself.

``app.py`` is the script that Streamlit runs; each file in ``views`` is a page. The folder of runs
comes from ``--runs DIR`` after ``--``, else from ``FINGRU_RUNS``, else the default; its database
from ``FINGRU_STORE_URL``, else it is the file in that folder. All choices are in the URL, so a
link opens the same view.
"""
