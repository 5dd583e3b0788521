"""Turns ``docs/results/speed.json`` into the tables of docs/speed.md."""

from __future__ import annotations

from typing import Any

GIB = 1024
COMPARED = ("training", "simulator", "features")


def speed(result: dict[str, Any]) -> str:
    """Everything the speed benchmarks measured; parts not measured yet are left out."""
    sections: dict[str, list[str]] = {}
    rows = [row for part in COMPARED for row in result.get(part, [])]
    for title, part, write in (
        ("The recurrence alone", "kernel", _kernel),
        ("Wide panel", "large_panel", _wide_panel),
        ("Growth", "growth", _growth),
        ("Thrift in training", "thrift", _thrift),
        ("One live update", "latency", _latency),
        ("Start-up", "startup", _startup),
    ):
        if part in result:
            sections[title] = write(result[part])
    sections = {"Against others": _comparisons(rows), **sections}
    lines = [line for title, body in sections.items() for line in (f"### {title}", "", *body, "")]
    return "\n".join([*lines, _machine(result["machine"], result["load"]), ""])


def _machine(machine: dict[str, Any], load: dict[str, float]) -> str:
    used = ("torch", "numpy", "pandas", "numba", "ta")
    versions = {**{name: machine[name] for name in used}, **machine["peers"]}
    return (
        f"{machine['cpu_count']} cores ({machine['processor']}), load average "
        f"{min(load.values()):.1f} to {max(load.values()):.1f} when the parts began; Python "
        f"{machine['python']}, "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + "."
    )


def _wide_panel(large: dict[str, Any]) -> list[str]:
    size = f"{large['assets']} assets x {large['sessions']:,} sessions x {large['scales']} scales"
    peak, before = (large[key] / GIB for key in ("peak_mib", "imports_mib"))
    return [
        f"All default columns of {size}, closes only: {large['seconds']:.1f} s, peak memory "
        f"{peak:.2f} GiB, of which {before:.2f} GiB are imports and prices."
    ]


def _latency(latency: dict[str, Any]) -> list[str]:
    lines = ["| assets | median | 99th percentile | updates |", "|---:|---:|---:|---:|"]
    for row in latency["updates"]:
        lines.append(
            f"| {row['assets']:,} | {row['median_ms']:.2f} ms | {row['p99_ms']:.2f} ms | "
            f"{row['updates']:,} |"
        )
    whole = latency["predict"]
    size = f"{whole['assets']} assets x {whole['sessions']:,} sessions"
    took = f"takes {whole['median_ms']:.0f} ms"
    return [
        *lines,
        "",
        f"A whole `live.predict`, features of {size} included, {took}.",
    ]


def _comparisons(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| what | fingru | peer | takes | times fingru | in the rounds | remark |",
        "|---|---:|---|---:|---:|---:|---|",
    ]
    for row in rows:
        if "missing" in row:
            lines.append(f"| {row['what']} | | {row['peer']} | | | | {row['missing']} |")
            continue
        own, theirs = _time(row["fingru_s"]), _time(row["peer_s"])
        ratio, low, high = (_times(row[key]) for key in ("ratio", "ratio_low", "ratio_high"))
        lines.append(
            f"| {row['what']} | {own} | {row['peer']} | {theirs} | **{ratio}** | "
            f"{low} to {high} ({row['rounds']}) | {row['note']} |"
        )
    return lines


def _kernel(kernel: dict[str, Any]) -> list[str]:
    lines = [
        f"Forward and backward, {kernel['models']} models x {kernel['sequences']} sequences x "
        f"{kernel['bars']} bars, {kernel['features']} features, {kernel['threads']} threads.",
        "",
        "| units K | what | million bar-steps/s | times `nn.GRU` | of the matrix-product peak |",
        "|---:|---|---:|---:|---:|",
    ]
    for units, rates in kernel["million_bar_steps_per_s"].items():
        slow, peak = rates["layer: torch.nn.GRU, model by model"], rates["sgemm peak"]
        for name, rate in rates.items():
            lines.append(
                f"| {units} | {name} | {rate:.2f} | {rate / slow:.1f} | {rate / peak:.2f} |"
            )
    return lines


def _thrift(rows: list[dict[str, Any]]) -> list[str]:
    lines = ["| one training step | takes | times | memory it adds |", "|---|---:|---:|---:|"]
    for row in rows:
        added = "unknown" if row["added_mib"] is None else f"{row['added_mib']:.0f} MiB"
        lines.append(f"| {row['what']} | {_time(row['step_s'])} | {row['ratio']:.2f} | {added} |")
    return lines


def _growth(axes: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| assets | years | members | time | peak memory |",
        "|---:|---:|---:|---:|---:|",
    ]
    points = {(p["assets"], p["years"], p["members"]): p for axis in axes for p in axis["points"]}
    for (assets, years, members), p in points.items():
        lines.append(
            f"| {assets:,} | {years} | {members} | {_time(p['seconds'])} | "
            f"{p['peak_mib'] / GIB:.2f} GiB |"
        )
    lines += [
        "",
        "| exponent of | time | time, last two points | peak memory | memory beyond imports |",
        "|---|---:|---:|---:|---:|",
    ]
    for axis in axes:
        lines.append(
            f"| {axis['axis']} | {axis['time_exponent']:.2f} | {axis['last_time_exponent']:.2f} | "
            f"{axis['memory_exponent']:.2f} | {axis['memory_beyond_imports_exponent']:.2f} |"
        )
    return lines


def _startup(rows: list[dict[str, Any]]) -> list[str]:
    lines = ["| command | takes | python -c pass takes |", "|---|---:|---:|"]
    for row in rows:
        name = row["what"].removeprefix("start-up: ")
        lines.append(f"| `{name}` | {_time(row['fingru_s'])} | {_time(row['peer_s'])} |")
    return lines


def _time(seconds: float) -> str:
    """Milliseconds, seconds or minutes, whichever reads best."""
    if seconds < 1:
        return f"{1e3 * seconds:.{0 if seconds >= 0.01 else 1}f} ms"
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def _times(ratio: float) -> str:
    """Two or three digits of a ratio."""
    return f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2g}"
