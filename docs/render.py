"""Write the figures of README from ``docs/results``; ``--check`` only says whether they fit.

A block between ``<!-- results:NAME -->`` and ``<!-- /results -->`` belongs to this script.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"(<!-- results:(\w+) -->\n).*?(<!-- /results -->)", re.DOTALL)
MODELS = {
    "gru": "**fingru GRU**",
    "constant": "constant variance",
    "ewma": "EWMA (0.94), t",
    "garch": "GARCH(1,1)-t",
    "gjr_garch_t": "GJR-GARCH-t",
    "gjr_garch_t_rolling": "GJR-GARCH-t, rolling 10 years",
    "har": "HAR",
}


def rendered(text: str) -> str:
    """Text with every results block written anew."""

    def block(match: re.Match[str]) -> str:
        stored = ROOT / "docs" / "results" / f"{match[2]}.json"
        return match[1] + as_markdown(json.loads(stored.read_text())) + match[3]

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 on a difference"
    )
    check = parser.parse_args().check
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    fresh = rendered(text)
    if check:
        sys.exit(fresh != text)
    readme.write_text(fresh, encoding="utf-8")


if __name__ == "__main__":
    main()
