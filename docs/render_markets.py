"""Tables of the markets beside the tuned one: other markets, and simulated ones."""

from __future__ import annotations

from typing import Any

MODELS = {"ewma": "EWMA", "garch": "GARCH-t", "gjr_garch_t": "GJR-GARCH-t"}


def other_markets(result: dict[str, Any]) -> str:
    """One row per asset: the network against the best baseline."""
    lines = [
        "| series | bars | first test day | test days | GRU | best baseline | its score | gain | "
        "DM p | coverage 90 % | coverage 95 % |",
        "|---|---:|---|---:|---:|---|---:|---:|---:|---:|---:|",
    ]
    for market in result["markets"]:
        for asset, s in market["assets"].items():
            best = s["best_baseline"]
            name = market["name"] if len(market["assets"]) == 1 else f"{market['name']}: {asset}"
            lines.append(
                f"| {name} | {market['bars']} | {market['first_test']} | {s['days']} | "
                f"{s['log_score']['gru']:.4f} | {MODELS[best]} | {s['log_score'][best]:.4f} | "
                f"{s['gain']:+.4f} | {_p(s['dm_p'])} | {s['coverage_90']:.1%} | "
                f"{s['coverage_95']:.1%} |"
            )
    verdict = (
        f"The network is better than the best baseline on {result['better']} of "
        f"{result['assets']} series (on {result['better_p05']} with a Diebold-Mariano p below "
        f"0.05; worse at that level on {result['worse_p05']}); the median gain is "
        f"{result['median_gain']:.4f} nats a bar. Seed {result['seed']}."
    )
    return "\n".join([*lines, "", verdict, "", *_provenance(result), ""])


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _provenance(result: dict[str, Any]) -> list[str]:
    lines = ["| market | what | from | to | file |", "|---|---|---|---|---|"]
    return lines + [
        f"| {m['name']} | {m['holds']} | {m['first']} | {m['last']} | "
        f"`{m['file']}` of {m['package']} {m['version']} |"
        for m in result["markets"]
    ]


def simulated_density(result: dict[str, Any]) -> str:
    """One row per planted signal: distances to the true density, and correlations of the mean."""
    lines = [
        "| planted signal | markets | GRU above the truth | GJR-GARCH-t | EWMA | "
        "GRU at most | IC of the GRU | IC of the true mean |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for group in result["signals"]:
        above, ic = group["above_truth"], group["ic"]
        lines.append(
            f"| {group['signal']:g} | {group['markets']} | {_with_error(above['gru'])} | "
            f"{_with_error(above['gjr_garch_t'])} | {_with_error(above['ewma'])} | "
            f"{group['farthest_from_truth']:.4f} | {_with_error(ic['gru'])} | "
            f"{_with_error(ic['truth']) if 'truth' in ic else 'none'} |"
        )
    return "\n".join([*lines, "", *_verdicts(result), ""])


def _with_error(value: dict[str, float]) -> str:
    return f"{value['mean']:.4f} +- {value['error']:.4f}"


def _verdicts(result: dict[str, Any]) -> list[str]:
    market, groups = result["market"], result["signals"]
    within = sum(g["within_target"] for g in groups)
    sentences = [
        f"Log score above that of the true density, in nats a day: 0 is perfect. "
        f"{market['assets']} assets, {market['sessions']} sessions, default settings. Within the "
        f"target of {result['target']:g} nats on {within} of {sum(g['markets'] for g in groups)} "
        f"markets."
    ]
    for group in groups:
        if group["signal"] == 0.0:
            mine = [m["gru"] for m in result["markets"] if m["signal"] == 0.0]
            mean, variance = (
                sum(m[part] for m in mine) / len(mine)
                for part in ("with_true_mean", "with_true_variance")
            )
            sentences.append(
                f"Without a signal the IC is within 2 standard errors of 0 on "
                f"{group['ic_within_2_errors_of_0']} of {group['markets']} markets; with the "
                f"true mean in place of its own the network would be {mean:.4f} above the truth, "
                f"with the true variance {variance:.4f}."
            )
    return [" ".join(sentences)]
