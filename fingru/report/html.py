"""The report of a run as one page that needs nothing else: no network, no second file."""

from __future__ import annotations

import base64
import gzip
import json
from html import escape
from importlib import resources
from typing import Any

import plotly.graph_objects as go

from fingru import __version__
from fingru.backtest.result import BacktestResult
from fingru.report.catalogue import LETTERS, TERMS, label_of
from fingru.report.figures import figures
from fingru.report.forecast_bands import forecast_bands
from fingru.report.page_parts import (
    band_section,
    facts_block,
    figure_block,
    headline_block,
    table_block,
)
from fingru.report.provenance import (
    data_warnings,
    header,
    leak_verdict,
    reproduce_command,
    run_warnings,
)
from fingru.report.selection import (
    assets_of,
    forecasts_of,
    has_forecasts,
    horizons_of,
    main_model,
    most_held,
)
from fingru.report.tables import evidence_tables, profit_tables, tables
from fingru.report.theme import describe

MOST_BANDS = 20_000
"""Forecasts drawn in the band charts of all assets together, so that the page stays small."""

MOST_ASSETS = 40
"""Assets with a band chart; the dashboard draws any of them."""

_OF_FORECASTS = {
    "coverage", "pit", "volatility", "score_gains", "folds", "losses", "gates", "asset_scores",
}  # fmt: skip
"""Figures and tables that say nothing in a run without forecasts."""

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
    drawn = figures(result)
    drawn.pop("forecast_bands")
    if not has_forecasts(result):
        drawn = {key: figure for key, figure in drawn.items() if key not in _OF_FORECASTS}
    bands = _bands(result)
    body = _body(result, drawn, bands)
    run_id = str(result.manifest.get("run_id", "run"))
    payload = _payload(drawn, bands, f"fingru-{run_id}")
    title = f"{label_of(result.strategy)} on {result.manifest['data']['source']}: fingru report"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>",
            '<link rel="icon" href="data:,">',
            f"<style>{_asset('page.css')}</style></head><body>",
            body,
            f'<script type="application/json" id="figures">{payload}</script>',
            f'<script type="text/plain" id="plotly">{_plotly_js()}</script>',
            f"<script>{_asset('page.js')}</script></body></html>",
        ]
    )


def _asset(name: str) -> str:
    return (resources.files("fingru.report") / name).read_text(encoding="utf-8")


def _plotly_js() -> str:
    from plotly.offline import get_plotlyjs

    packed = gzip.compress(get_plotlyjs().encode("utf-8"), compresslevel=9, mtime=0)
    return base64.b64encode(packed).decode("ascii")


def _bands(result: BacktestResult) -> dict[str, go.Figure]:
    """Latest forecasts of the assets that mattered most and every horizon, as many as fit."""
    assets, model = most_held(result, MOST_ASSETS), main_model(result)
    horizons = horizons_of(result)
    rows = max(60, min(500, MOST_BANDS // max(1, len(assets) * len(horizons))))
    drawn = {}
    for horizon in horizons:
        for asset in assets:
            targets = forecasts_of(result, model, horizon, asset)["target"]
            if targets.empty:
                continue
            start = targets.iloc[max(0, len(targets) - rows)]
            key = asset if len(horizons) == 1 else f"{asset}|{horizon}"
            drawn[key] = forecast_bands(result, asset, horizon, model, start)
    return drawn


def _payload(drawn: dict[str, go.Figure], bands: dict[str, go.Figure], name: str) -> str:
    pool: dict[tuple[str, ...], int] = {}
    shown = {key: _stored(key, figure, pool) for key, figure in drawn.items()}
    banded: dict[str, dict[str, Any]] = {}
    for key, figure in bands.items():
        about = describe(figure)
        banded[key] = {
            **_stored("equity", figure, pool), "caption": about.caption, "alt": about.alt
        }  # fmt: skip
    content = {"name": name, "figures": shown, "bands": banded, "pool": [list(x) for x in pool]}
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


def _body(result: BacktestResult, drawn: dict[str, go.Figure], bands: dict[str, go.Figure]) -> str:
    every = {**tables(result), **evidence_tables(result), **profit_tables(result)}
    made = {key: table_block(table) for key, table in every.items()}
    shown = {key: figure_block(key, figure) for key, figure in drawn.items()}
    if not has_forecasts(result):
        made |= dict.fromkeys(_OF_FORECASTS, "")
        shown |= dict.fromkeys(_OF_FORECASTS, "")
    sections = {
        "Summary": headline_block(result) + made["strategies"] + made.get("differences", ""),
        "Equity and drawdown": shown["equity"] + made["drawdowns"],
        "Returns": shown["monthly_returns"]
        + _pair(shown["yearly_returns"], shown["return_distribution"])
        + shown["rolling"]
        + made["years"],
        "Where the profit came from": shown["profit"]
        + shown["profit_years"]
        + _joined(made, "heads", "regimes", "sides", "asset_profit"),
        "How much may be luck": _joined(made, "certainty")
        + shown["cost_sensitivity"]
        + _joined(made, "delays", "capacity"),
        "Forecasts": band_section(result, bands, max(0, len(assets_of(result)) - MOST_ASSETS))
        + made["forecasts"]
        + made["forecast_errors"],
        "Calibration": _pair(shown["coverage"], shown["pit"])
        + shown["volatility"]
        + made["calibration"],
        "Assets": shown["score_gains"] + made["asset_scores"] + shown["weights"] + made["assets"],
        "Trading and costs": _pair(shown["costs"], shown["exposure"]),
        "Walk-forward": shown["folds"]
        + shown["losses"]
        + made["folds"]
        + shown["gates"]
        + made["diagnostics"],
        "How it was made": _origin(result, made),
    }
    if not has_forecasts(result):
        for title in ("Forecasts", "Calibration", "Walk-forward"):
            del sections[title]
    names = {title: title.lower().replace(" ", "-") for title in sections}
    links = "".join(f'<li><a href="#{i}">{escape(t)}</a></li>' for t, i in names.items())
    parts = [
        f'<section aria-labelledby="{names[title]}"><h2 id="{names[title]}">{escape(title)}</h2>'
        f"{content}</section>"
        for title, content in sections.items()
    ]
    return (
        f"<header>{_head(result)}<nav aria-label='Sections'><ul>{links}</ul></nav>"
        '<p id="status" role="status" class="muted">Charts are being drawn.</p>'
        "<noscript><p class='warning'>Charts need JavaScript; all tables are complete.</p>"
        f"</noscript></header><main>{''.join(parts)}</main>"
        f"<footer>{_glossary()}<p>Made by fingru {escape(__version__)}. Past results say little "
        "about future ones; dates are sessions of the data, other times are UTC.</p></footer>"
    )


def _head(result: BacktestResult) -> str:
    data = result.manifest["data"]
    what = "Walk-forward backtest: every forecast was made before the return it is judged by."
    if not has_forecasts(result):
        what = "Backtest without a model: every decision was made from the prices up to its close."
    doubts = data_warnings(result)
    others = [text for text in dict.fromkeys(run_warnings(result)) if text not in doubts]
    warnings = "".join(f'<p class="warning">{escape(text)}</p>' for text in others)
    if doubts:
        items = "".join(f"<li>{escape(text)}</li>" for text in doubts)
        warnings += (
            '<section class="warning" aria-labelledby="data-warnings">'
            f'<h2 id="data-warnings">Doubtful in the data</h2><ul>{items}</ul></section>'
        )
    return (
        f"<h1>{escape(label_of(result.strategy))} on {escape(str(data['source']))}</h1>"
        f'<p class="muted">{what}</p>'
        f"{facts_block(header(result))}{warnings}"
    )


def _joined(made: dict[str, str], *keys: str) -> str:
    """Those of the tables that there are."""
    return "".join(made.get(key, "") for key in keys)


def _pair(left: str, right: str) -> str:
    return f'<div class="pair">{left}{right}</div>'


def _origin(result: BacktestResult, made: dict[str, str]) -> str:
    passed, sentence = leak_verdict(result)
    status = (result.metrics.get("leak_check") or {}).get("status") or "not run"
    verdict = "failed" if passed is False else status
    folded = "".join(
        f"<details><summary>{title}</summary>{made[key]}</details>"
        for key, title in (
            ("configuration", "Configuration"),
            ("fingerprints", "Fingerprints of the files"),
        )
    )
    return (
        f"<p><strong>Leak check: {verdict}.</strong> {escape(sentence)}</p>{made['certificate']}"
        f"{made['checks']}"
        f"{made['provenance']}<h3>Command to reproduce</h3>"
        f"<pre><code>{escape(reproduce_command(result))}</code></pre>{folded}"
    )


def _glossary() -> str:
    rows = "".join(
        f"<dt>{escape(term.label)}</dt><dd>{escape(term.explanation)}</dd>"
        for term in TERMS.values()
    )
    return (
        f"<details><summary>What the numbers mean</summary><p>{escape(LETTERS)}</p>"
        f"<dl>{rows}</dl></details>"
    )
