"""Write the figures of README and docs from ``docs/results``; ``--check`` only says if they fit.

A block between ``<!-- results:NAME -->`` and ``<!-- /results -->`` belongs to this script; NAME
may be ``FILE:PART``.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from render_markets import other_markets, simulated_density
from render_sizing import sizing
from render_speed import speed

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/forecast-quality.md", "docs/sizing.md", "docs/speed.md")
BLOCK = re.compile(r"(<!-- results:([\w:]+) -->\n).*?(<!-- /results -->)", re.DOTALL)
MODELS = {
    "gru": "**fingru GRU**",
    "constant": "constant variance",
    "ewma": "EWMA (0.94), t",
    "garch": "GARCH(1,1)-t",
    "gjr_garch_t": "GJR-GARCH-t",
    "gjr_garch_t_rolling": "GJR-GARCH-t, rolling 10 years",
    "har": "HAR",
    "linear": "log-linear, same features",
    "boosted_trees": "boosted trees, same features",
}


def rendered(text: str) -> str:
    """Text with every results block written anew."""

    def block(match: re.Match[str]) -> str:
        stored = ROOT / "docs" / "results" / f"{match[2].partition(':')[0]}.json"
        write = WRITERS.get(match[2], as_markdown)
        return match[1] + write(json.loads(stored.read_text())) + match[3]

    return BLOCK.sub(block, text)


def as_markdown(result: dict[str, Any]) -> str:
    """Tables and sentences of one stored result."""
    against = result["gru_against_best_baseline"]
    seconds = result["timing"]["total_s"]
    return "\n".join(
        [
            _forecast_table(result),
            "",
            f"Log score: mean negative log density of the next day's log return, in nats; lower "
            f"is better. Against the best baseline of each stock, chosen with hindsight, the GRU "
            f"is better on {against['better']} of {against['assets']} "
            f"(on {against['better_p01']} with a Diebold-Mariano p below 0.01); the median gain "
            f"is {against['median_gain']:.4f} nats a day, the smallest "
            f"{against['smallest_gain']:+.4f}, the largest {against['largest_gain']:+.4f}.",
            "",
            _strategy_table(result),
            "",
            f"Daily from {result['first_target']} to {result['last_target']}, "
            f"{result['folds']} yearly refits, {result['members']} members, "
            f"{result['cost_bps']:g} bp per traded value, fills at the next bar, "
            f"seed {result['seed']}. "
            f"The whole job took {seconds:.0f} s on {result['cpu_count']} cores.",
            "",
        ]
    )


def _forecast_table(result: dict[str, Any]) -> str:
    better_than = result["gru_against_best_baseline"]["better_than"]
    assets = result["gru_against_best_baseline"]["assets"]
    lines = [
        "| forecast | log score, mean | median stock | CRPS | coverage 90 % | coverage 95 % | "
        "GRU better on |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    ordered = sorted(result["forecasts"].items(), key=lambda item: item[1]["log_score"])
    for name, score in ordered:
        wins = "" if name == "gru" else f"{better_than[name]} of {assets}"
        lines.append(
            f"| {MODELS.get(name, name)} | {score['log_score']:.4f} | "
            f"{result['median_log_score'][name]:.4f} | {score['crps']:.5f} | "
            f"{score['coverage90']:.1%} | {score['coverage95']:.1%} | {wins} |"
        )
    return "\n".join(lines)


def _strategy_table(result: dict[str, Any]) -> str:
    lines = [
        "| strategy | Sharpe | 95 % interval | return | volatility | max drawdown | "
        "turnover a year |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, values in result["strategies"].items():
        low, high = values["sharpe_ci95"]
        lines.append(
            f"| `{name}` | {values['sharpe']:.2f} | {low:.2f} to {high:.2f} | "
            f"{values['annual_return']:.1%} | {values['annual_volatility']:.1%} | "
            f"{values['max_drawdown']:.1%} | {values['turnover_per_year']:.1f} |"
        )
    return "\n".join(lines)


def quality(result: dict[str, Any]) -> str:
    """Scores of all models with the first seed, and what every seed says."""
    first = result["seeds"][0]
    lines = [
        "| forecast | log score | Gaussian NLL | CRPS | QLIKE | coverage 90 % | coverage 95 % |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, s in sorted(first["pooled"].items(), key=lambda item: item[1]["log_score"]):
        lines.append(
            f"| {MODELS.get(name, name)} | {s['log_score']:.4f} | {s['gaussian_nll']:.4f} | "
            f"{s['crps']:.6f} | {s['qlike']:.4f} | {s['coverage90']:.1%} | "
            f"{s['coverage95']:.1%} |"
        )
    lines += [
        "",
        "| seed | log score | better than the best classical | p < 0.01 | median gain | "
        "better than the best of all | p < 0.01 | median gain | over GJR-GARCH-t | "
        "Kupiec 5 % passed | 1 % passed | farthest 90 % coverage | IC by year |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for seed, s in zip(result["seed_numbers"], result["seeds"], strict=True):
        over = sorted(s["gain_over_gjr"].values())
        cover, ic = s["coverage"], s["ic_by_year"]
        compared = " | ".join(
            f"{a['better']} of {s['assets']} | {a['better_p01']} | {a['median_gain']:.4f}"
            for a in (s["against_classical"], s["against_all"])
        )
        lines.append(
            f"| {seed} | {s['pooled']['gru']['log_score']:.4f} | {compared} | "
            f"{over[0]:.4f} to {over[-1]:.4f} | {cover['kupiec_5_passed']} of {s['assets']} | "
            f"{cover['kupiec_1_passed']} of {s['assets']} | {cover['farthest_90']:.1%} off | "
            f"{ic['mean']:.3f} +- {ic['error']:.3f} |"
        )
    cover = first["coverage"]
    return "\n".join(
        [
            *lines,
            "",
            f"{result['folds']} yearly refits. The pooled log score of the network varies by "
            f"{result['seed_spread']:.5f} (standard deviation) over the seeds. With the first "
            f"seed, its central 90 % and 95 % intervals held {cover['pooled_90']:.1%} and "
            f"{cover['pooled_95']:.1%} of all returns, before recalibration "
            f"{cover['before_90']:.1%} and {cover['before_95']:.1%}; it is better than "
            "GJR-GARCH-t in "
            + ", ".join(f"{k} on {v}" for k, v in first["better_than_gjr"].items())
            + f" of {first['assets']}.",
            "",
        ]
    )


def horizons(result: dict[str, Any]) -> str:
    """What one network says a day, a week and a month ahead."""
    lines = [
        "| bars ahead | log score | GJR-GARCH-t | better than the best classical | p < 0.01 | "
        "median gain | coverage 90 % | 95 % | IC | rank IC | signal turnover |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for r in result["rows"]:
        pooled = r["pooled"]
        lines.append(
            f"| {r['horizon']} | {pooled['gru']['log_score']:.4f} | "
            f"{pooled['gjr_garch_t']['log_score']:.4f} | {r['better']} of {r['assets']} | "
            f"{r['better_p01']} | {r['median_gain']:.4f} | {r['coverage_90']:.1%} | "
            f"{r['coverage_95']:.1%} | {r['ic']:.3f} +- {r['ic_error']:.3f} | "
            f"{r['rank_ic']:.3f} | {r['signal_turnover']:.2f} |"
        )
    return "\n".join([*lines, ""])


def ablations(result: dict[str, Any]) -> str:
    """What each change scores on the stocks, against the default, and what it costs."""
    return _ablated(result["us_stocks"], result["seeds"], "the stocks")


def index_ablations(result: dict[str, Any]) -> str:
    """The same on the indices, over all seeds."""
    return _ablated(result["indices"], result["seeds"], "runs")


def _ablated(result: dict[str, Any], seeds: list[int], counted: str) -> str:
    """One row per change."""
    lines = [
        f"| change | log score | gain | better on ({counted}) | processor time |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in result["rows"]:
        score = f"| {row['change']} | {row['log_score']:.4f} |"
        wins = f"{row['better']} of {row['assets']}"
        against = f" {row['gain']:+.4f} +- {row['gain_error']:.4f} | {wins}"
        if row["change"] == "default":
            against = " |"
        lines.append(f"{score}{against} | {row['cpu_s']:.0f} s |")
    scores = ", ".join(f"{score:.4f}" for score in result["default_by_seed"])
    return "\n".join([*lines, "", f"The default with seeds {seeds}: {scores}.", ""])


WRITERS = {
    "us_stocks": as_markdown,
    "forecast_quality_us_stocks": quality,
    "forecast_quality_indices": quality,
    "horizons": horizons,
    "ablations": ablations,
    "ablations:indices": index_ablations,
    "other_markets": other_markets,
    "simulated_density": simulated_density,
    "sizing": sizing,
    "speed": speed,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 on a difference"
    )
    check = parser.parse_args().check
    differs = False
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        fresh = rendered(text)
        differs |= fresh != text
        if not check:
            (ROOT / page).write_text(fresh, encoding="utf-8")
    if check:
        sys.exit(differs)


if __name__ == "__main__":
    main()
