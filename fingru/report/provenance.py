"""Where a result comes from: period, data, settings, versions, checks, and how to repeat it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from fingru.backtest.result import BacktestResult
from fingru.report.labels import format_value, is_missing, label_of
from fingru.report.selection import bars_per_year, has_forecasts, main_model, strategy_names
from fingru.report.table import Table, facts
from fingru.settings import current_key

_SECONDS = {
    "compile_s": "Compiling kernels", "features_s": "Features", "train_s": "Training",
    "forecast_s": "Forecasts",
    "backtest_s": "Backtest", "total_s": "Total",
}  # fmt: skip


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mapping as dotted keys.

    Examples
    --------
    >>> flat({"model": {"hidden_size": 24}, "seed": 0})
    {'model.hidden_size': 24, 'seed': 0}
    """
    out: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            out |= flat(value, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = value
    return out


def configuration(result: BacktestResult) -> dict[str, Any]:
    """The complete configuration as dotted keys, under the present names of the settings."""
    config = flat(result.manifest.get("config", {}))
    return {current_key(key): value for key, value in config.items()}


def trial_count(result: BacktestResult) -> int | None:
    """How many configurations were tried on the run's test days, as the ledger counted."""
    trials = result.metrics.get("trials", {})
    count = trials.get("count") if isinstance(trials, Mapping) else None
    return None if is_missing(count) else int(float(str(count)))


def leak_verdict(result: BacktestResult) -> tuple[bool | None, str]:
    """Whether the leak check passed (None: with reservations, or not run), and words about it."""
    check = result.metrics.get("leak_check") or {}
    status = check.get("status")
    unchanged = "Changing later prices changed nothing that was decided before them."
    unseen = f" {check['limits']}." if check.get("limits") else ""
    if status == "passed":
        return True, unchanged + unseen
    if status == "passed with reservations":
        named = "; ".join(map(str, check.get("reservations") or []))
        return None, f"{unchanged} The check does not cover: {named}.{unseen}"
    if status == "leak":
        leaks = check.get("leaks") or [{}]
        place = ", ".join(str(leaks[0][k]) for k in ("stage", "column") if k in leaks[0])
        return False, f"Look-ahead found ({place}): do not trust this result."
    why = f" ({check['reason']})" if check.get("reason") else ""
    return None, f"The leak check was not run{why}; `fingru leakcheck` does it."


_FILLS = {
    "next_bar": "next bar",
    "next_close": "next close",
    "same_close": "at the same close (not achievable in practice)",
}


def header(result: BacktestResult) -> dict[str, str]:
    """What belongs at the head of every result: period, costs, fills, benchmark, trials."""
    config, data = configuration(result), result.manifest["data"]
    dates = result.equity.loc[result.equity["strategy"] == result.strategy, "date"]
    period = f"{dates.min():%Y-%m-%d} to {dates.max():%Y-%m-%d}" if len(dates) else "no returns"
    others = [label_of(name) for name in strategy_names(result)[1:]]
    trials = trial_count(result)
    fill = str(config.get("simulation.fill", "next_bar"))
    cash = config.get("simulation.cash_rate")
    facts = {
        "Out of sample" if has_forecasts(result) else "Period": period,
        "Bars": f"{len(dates):,}, {bars_per_year(result):,.0f} a year",
        "Data": f"{data['source']}, {len(data['assets'])} assets",
        "Strategy": label_of(result.strategy),
        "Model": label_of(main_model(result)),
        "Costs": format_value(config.get("simulation.cost_bps"), "bps"),
        "Fills": _FILLS.get(fill, fill),
        "Benchmarks": ", ".join(others) or "none",
        "Returns": "simple, compounded, net of costs",
        "Trials so far": "n/a" if trials is None else f"{trials:,}",
        "Run": str(result.manifest.get("run_id", "not stored")),
    }
    return facts if is_missing(cash) else facts | {"Cash rate": format_value(cash, "percent2")}


def data_warnings(result: BacktestResult) -> list[str]:
    """What is doubtful in the prices of a run, and what to do about it; notes are left out."""
    data = result.manifest["data"]
    if "warnings" not in data:  # stored before there were any
        return [_sentence(str(note)) for note in data.get("notes") or []]
    issues = [issue for issue in data["warnings"] if issue["severity"] == "warning"]
    return [_sentence(": ".join(filter(None, (f["problem"], f["mend"])))) for f in issues]


def warnings_of(result: BacktestResult) -> list[str]:
    """What a reader must know before believing any number, ``data_warnings`` last."""
    return list(dict.fromkeys([*run_warnings(result), *data_warnings(result)]))


def run_warnings(result: BacktestResult) -> list[str]:
    """What is doubtful in the run itself, whatever its prices."""
    warnings = [
        f"Altered since the run ended: {change}. Do not trust these numbers."
        for change in result.manifest.get("altered") or []
    ]
    if configuration(result).get("simulation.fill") == "same_close":
        warnings.append(
            "Trades are filled at the close they were decided on, which is not achievable in "
            "practice; the result is too good."
        )
    passed, sentence = leak_verdict(result)
    if passed is False:
        warnings.append(sentence)
    reservations = (result.metrics.get("leak_check") or {}).get("reservations") or []
    warnings += [
        f"Not covered by the leak check: {reservation}."
        for reservation in reservations
        if "same_close" not in reservation  # said above
    ]
    blocks = result.equity[result.equity["strategy"] == result.strategy]
    if len(blocks) and float(blocks["equity"].min()) <= 0:
        warnings.append("The strategy lost all its equity.")
    return warnings + [_sentence(str(note)) for note in result.metrics.get("notes") or []]


def _sentence(text: str) -> str:
    closed = text if text.endswith((".", "!", "?")) else f"{text}."
    return closed[0].upper() + closed[1:]


def reproduce_command(result: BacktestResult) -> str:
    """The command line that repeats the run with its complete configuration.

    Of what only Python can repeat, where it was made, and the source of its strategy.
    """
    given = result.manifest.get("strategy_object")
    if given is not None:
        source = given.get("source") or "# Its source is not known."
        return f"# The strategy was a Python object of class {given['class']}:\n\n{source}"
    if result.manifest.get("made_by"):
        return f"# Made in Python by {result.manifest['made_by']}."
    parts = ["fingru", "backtest"]
    for key, value in configuration(result).items():
        if value is None or key.startswith("store.") or value == {}:
            continue
        written = value if isinstance(value, str) else json.dumps(value)
        parts += ["--set", f"{key}={written}"]
    return shlex.join(parts)


def provenance_table(result: BacktestResult) -> Table:
    """Data, versions, seed and times of the run."""
    manifest, data = result.manifest, result.manifest["data"]
    values: dict[str, object] = {
        "Source": data.get("source"),
        "Assets": ", ".join(map(str, data.get("assets", []))),
        "First session": data.get("first"),
        "Last session": data.get("last"),
        "Sessions": format_value(data.get("sessions"), "count"),
        "Bars per year": format_value(data.get("bars_per_year"), "ratio"),
        "Data SHA-256": data.get("sha256"),
        "Data notes": "; ".join(map(str, data.get("notes") or [])) or "none",
        "Created (UTC)": manifest.get("created_at"),
        "Seed": manifest.get("seed"),
    }
    if "strategy_object" in manifest:
        values["Strategy class"] = manifest["strategy_object"]["class"]
    values |= {
        key.replace("_", " ").capitalize().replace("Fingru", "fingru"): value
        for key, value in flat(manifest).items()
        if "version" in key and not key.startswith("config")
    }
    timing = manifest.get("timing") or {}
    values |= {
        f"{label} time": format_value(timing.get(key), "seconds")
        for key, label in _SECONDS.items()
        if key in timing
    }
    return facts("Data and provenance", values)


def checks_table(result: BacktestResult) -> Table:
    """Leak check and trial count, with every detail that was stored."""
    _, verdict = leak_verdict(result)
    trials = result.metrics.get("trials") or {}
    check = result.metrics.get("leak_check") or {}
    values: dict[str, object] = {"Leak check": verdict}
    said = {"verdicts", "stages", "reservations", "limits"}
    shown = {k: v for k, v in flat(check).items() if k not in said}
    values |= {f"Leak check: {k}".replace("_", " "): _brief(v) for k, v in shown.items()}
    values |= {f"Trials: {k}".replace("_", " "): _brief(v) for k, v in flat(trials).items()}
    return facts("Checks", values)


def certificate_table(result: BacktestResult) -> Table:
    """What the leak check compared, stage by stage."""
    check = result.metrics.get("leak_check") or {}
    cuts = ", ".join(map(str, check.get("cuts") or []))
    how = "; ".join(map(str, check.get("kinds") or []))
    notes = (f"After {cuts} the future was changed: {how}.",) if cuts and how else ()
    return Table.of("certificate", check.get("verdicts") or [], notes=notes)


def _brief(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        more = f" and {len(value) - 12} more" if len(value) > 12 else ""
        return (", ".join(map(str, value[:12])) or "none") + more
    return "n/a" if value is None else str(value)


def configuration_table(result: BacktestResult) -> Table:
    """Every setting of the run."""
    values = {key: json.dumps(value) for key, value in configuration(result).items()}
    return facts("Configuration", dict(values))


def fingerprints_table(result: BacktestResult) -> Table:
    """SHA-256 of every file of the run; ``fingru runs verify`` compares them."""
    return facts("Fingerprints (SHA-256)", dict(result.manifest.get("sha256") or {}))
