"""The report of a run as one page that needs nothing else: no network, no second file."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

import plotly.graph_objects as go

from fingru import __version__
from fingru.backtest.result import BacktestResult
from fingru.report import selection
from fingru.report.figures import FIGURES, forecast_bands
from fingru.report.headlines import headlines
from fingru.report.labels import LETTERS, TERMS, label_of
from fingru.report.provenance import (
    data_warnings,
    header,
    leak_verdict,
    reproduce_command,
    run_warnings,
)
from fingru.report.tables import optional_tables, tables

MOST_BANDS = 20_000
"""Forecasts drawn in the band charts of all assets together, so that the page stays small."""

MOST_ASSETS = 40
"""Assets with a band chart; the dashboard draws any of them."""

_OF_FORECASTS = {
    "coverage", "pit", "volatility", "score_gains", "folds", "losses", "gates", "asset_scores",
    "forecasts", "forecast_errors", "calibration", "diagnostics",
}  # fmt: skip
"""Figures and tables that say nothing in a run without forecasts."""

_WITH_MODEL = "Walk-forward backtest: every forecast was made before the return it is judged by."
_WITHOUT_MODEL = (
    "Backtest without a model: every decision was made from the prices up to its close."
)
_FOLLOWING = ("equity", "rolling", "costs")
"""Figures whose y axes follow a zoom of the x axis."""


def render_html(result: BacktestResult) -> str:
    """Write the report of a run as one self-contained HTML page.

    plotly.js travels inside, compressed; nothing is fetched, so it opens offline and can be sent.
    Tables are complete without scripts. Equal results give equal pages.

    Parameters
    ----------
    result
        A finished run.
    """
    forecast = selection.has_forecasts(result)
    left_out = {"forecast_bands"} | (set() if forecast else _OF_FORECASTS)
    figures = {key: draw(result) for key, draw in FIGURES.items() if key not in left_out}
    bands = _bands(result)
    every_table = {**tables(result), **optional_tables(result)}
    passed, sentence = leak_verdict(result)
    status = (result.metrics.get("leak_check") or {}).get("status") or "not run"
    doubts = data_warnings(result)
    return render_page(
        "page.html.j2",
        f"fingru-{result.manifest.get('run_id', 'run')}",
        figures,
        bands,
        title=f"{label_of(result.strategy)} on {result.manifest['data']['source']}",
        introduction=_WITH_MODEL if forecast else _WITHOUT_MODEL,
        facts=header(result),
        warnings=[text for text in dict.fromkeys(run_warnings(result)) if text not in doubts],
        data_warnings=doubts,
        headlines=headlines(result),
        tables={key: table for key, table in every_table.items() if key not in left_out},
        band_assets=dict.fromkeys(asset for asset, _ in bands),
        horizons=dict.fromkeys(horizon for _, horizon in bands),
        assets_left_out=max(0, len(selection.assets_of(result)) - MOST_ASSETS),
        leak_status="failed" if passed is False else status,
        leak_sentence=sentence,
        command=reproduce_command(result),
    )


def render_page(
    template: str,
    name: str,
    figures: Mapping[str, go.Figure],
    bands: Mapping[tuple[str, int], go.Figure] | None = None,
    **values: object,
) -> str:
    """Fill a template of this package that holds its figures, scripts and styles in itself.

    Parameters
    ----------
    template
        File in this folder.
    name
        What saved images are called.
    figures
        By the key under which the template places them.
    bands
        Forecast bands by asset and horizon, of which a picker of the page shows one.
    values
        The other names that the template uses; text is escaped. What is not given is left out.
    """
    from jinja2 import Environment
    from markupsafe import Markup

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    bands = bands or {}
    page = environment.from_string(_asset(template)).render(
        values,
        figures=figures,
        bands=bands,
        version=__version__,
        letters=LETTERS,
        terms=TERMS.values(),
        css=Markup(_asset("page.css")),
        js=Markup(_asset("page.js")),
        payload=Markup(_payload(name, figures, bands)),
        plotly_js=Markup(_plotly_js()),
    )
    return page.strip() + "\n"


def _asset(name: str) -> str:
    return (resources.files("fingru.report") / name).read_text(encoding="utf-8")


def _plotly_js() -> str:
    from plotly.offline import get_plotlyjs

    packed = gzip.compress(get_plotlyjs().encode("utf-8"), compresslevel=9, mtime=0)
    return base64.b64encode(packed).decode("ascii")


def _bands(result: BacktestResult) -> dict[tuple[str, int], go.Figure]:
    """Latest forecasts of the assets that mattered most and every horizon, as many as fit."""
    assets, model = selection.most_held(result, MOST_ASSETS), selection.main_model(result)
    horizons = selection.horizons_of(result)
    rows = max(60, min(500, MOST_BANDS // max(1, len(assets) * len(horizons))))
    drawn = {}
    for horizon in horizons:
        for asset in assets:
            targets = selection.forecasts_of(result, model, horizon, asset)["target"]
            if len(targets):
                start = targets.iloc[max(0, len(targets) - rows)]
                drawn[asset, horizon] = forecast_bands(result, asset, horizon, model, start)
    return drawn


def _payload(
    name: str, figures: Mapping[str, go.Figure], bands: Mapping[tuple[str, int], go.Figure]
) -> str:
    """What the script of the page draws, as JSON that no markup can end."""
    pool: dict[tuple[str, ...], int] = {}
    many = len({horizon for _, horizon in bands}) > 1
    content: dict[str, Any] = {
        "name": name,
        "figures": {key: _stored(key, figure, pool) for key, figure in figures.items()},
        "bands": {
            f"{asset}|{horizon}" if many else asset: {
                **_stored("equity", figure, pool),
                "caption": figure.layout.meta["caption"],
                "alt": figure.layout.meta["alt"],
            }
            for (asset, horizon), figure in bands.items()
        },
    }
    content["pool"] = [list(dates) for dates in pool]
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _stored(key: str, figure: go.Figure, pool: dict[tuple[str, ...], int]) -> dict[str, Any]:
    """Figure as plain JSON; a long list of dates becomes its number in ``pool``."""
    stored: dict[str, Any] = json.loads(figure.to_json())
    for trace in stored["data"]:
        x = trace.get("x")
        if isinstance(x, list) and len(x) > 20 and isinstance(x[0], str):
            trace["x"] = pool.setdefault(tuple(x), len(pool))
    stored["layout"].pop("meta", None)
    return {**stored, "follow": key in _FOLLOWING}
