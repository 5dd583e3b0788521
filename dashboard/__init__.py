"""The web UI: reads stored runs and draws them with ``fingru.report``; it computes nothing itself.

``app.py`` is the script that Streamlit runs; each file in ``views`` is a page. Which folder of
runs is shown comes from ``--runs DIR`` after ``--``, else from ``FINGRU_RUNS``, else the default;
the database that indexes them from ``FINGRU_STORE_URL``, else it is the file beside them.
All that a reader chose stands in the URL, so a link opens the same view.
"""
