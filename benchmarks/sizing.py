"""What position sizing is worth: forecasts of variance, speeds, and what hindsight would give.

    python benchmarks/sizing.py [--dry]

On days before the first test day (where defaults are chosen) and on the test days of both
bundled markets: every strategy against volatility targeting with EWMA, net of costs, with the
interval of the difference. The last rows know the variance that is still to come; nobody does,
and they say how much a better forecast of it could earn. Writes docs/results/sizing.json for
docs/sizing.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from results import keep, told

from fingru import load_prices
from fingru.backtest.simulator import simulate_weights
from fingru.config import load_config
from fingru.forecast.forecast import Forecast
from fingru.measures import returns as metrics
from fingru.measures.inference import paired_draws
from fingru.models.registry import make_forecaster
from fingru.models.walk import walk_forecast
from fingru.strategy import find_strategy
from fingru.walkforward.walk import WalkForward, main_model, prepare, simulate_strategy

MARKETS = {
    "stocks, before the test": ("sample:us_stocks", "1994-01-01", "1999-12-31"),
    "indices, before the test": ("sample:indices", "2002-01-01", "2004-12-31"),
    "stocks, test": ("sample:us_stocks", "2000-01-01", None),
    "indices, test": ("sample:indices", "2005-01-01", None),
}
AT_ONCE = {"adjustment_rate": 1.0, "no_trade_band": 0.05}
STRATEGIES: list[tuple[str, str, dict[str, Any], str]] = [
    ("equal weight", "equal_weight", {}, "gru"),
    ("EWMA target", "ewma_vol_target", {}, "gru"),
    ("`vol_target`", "vol_target", {}, "gru"),
    ("`vol_target`, at once", "vol_target", AT_ONCE, "gru"),
    ("`vol_target` with EWMA forecasts", "vol_target", {}, "ewma"),
    ("`vol_target` with GJR-GARCH-t forecasts", "vol_target", {}, "gjr_garch_t"),
    ("`risk_aware`", "risk_aware", {}, "gru"),
    ("`risk_aware`, faster", "risk_aware", {"adjustment_rate": 0.3}, "gru"),
    ("`risk_aware`, no forecast mean", "risk_aware", {"prior_spread": 0.0}, "gru"),
    ("`risk_aware` with GJR-GARCH-t forecasts", "risk_aware", {}, "gjr_garch_t"),
]
"""Name in the table, strategy, parameters, model whose forecasts it gets."""

HINDSIGHT = (1, 5, 21)
"""Sessions ahead whose realised variance the last rows know."""

AGAINST = "EWMA target"
VOLATILITY = 0.15


def returns_of(job: WalkForward) -> dict[str, pd.DataFrame]:
    """Equity tables by name in the table."""
    config = job.config
    forecasts: dict[str, Forecast] = {
        "gru": walk_forecast(main_model(config), job.problem, job.folds)
    }
    for name in ("ewma", "gjr_garch_t"):
        baseline = make_forecaster(name, config)
        forecasts[name] = walk_forecast(baseline, job.problem, job.folds)
    tables = {}
    for title, strategy, parameters, model in STRATEGIES:
        loaded = find_strategy(strategy, parameters)
        tables[title] = simulate_strategy(job, loaded, forecasts[model]).equity
    return tables | dict(_in_hindsight(job))


def _in_hindsight(job: WalkForward) -> Iterator[tuple[str, pd.DataFrame]]:
    """Equal weights scaled by the variance of the equally weighted portfolio yet to come."""
    past = np.nanmean(job.prices.log_returns, axis=1)
    listed = job.prices.has_bar
    equal = listed / np.maximum(listed.sum(axis=1, keepdims=True), 1)
    for bars in HINDSIGHT:
        ahead = pd.Series(past**2).rolling(bars).mean().shift(-bars).to_numpy()
        annual = np.sqrt(np.maximum(ahead, 1e-12) * job.prices.bars_per_year)
        scale = np.where(np.isfinite(annual), np.minimum(VOLATILITY / annual, 1.0), 1.0)
        made = simulate_weights(
            job.prices,
            scale[:, None] * equal,
            name="hindsight",
            settings=job.config.simulation,
            first_row=job.folds[0].test_first,
            last_row=job.folds[-1].test_last + 1,
        )
        plural = "s" if bars > 1 else ""
        yield f"equal weight, variance of the next {bars} session{plural} known", made.equity


def judged(tables: Mapping[str, pd.DataFrame], per_year: float) -> list[dict[str, Any]]:
    """One row per table, with its difference to the EWMA target."""
    rows, theirs = [], tables[AGAINST]["net_return"].to_numpy()
    for name, equity in tables.items():
        net = equity["net_return"].to_numpy()
        row = {
            "name": name,
            "sharpe": metrics.sharpe_ratio(net, per_year),
            "annual_return": metrics.annual_return(net, per_year),
            "annual_volatility": metrics.annual_volatility(net, per_year),
            "max_drawdown": metrics.max_drawdown(net),
            "turnover_per_year": float(equity["turnover"].mean() * per_year),
            "difference": None,
            "difference_ci95": None,
        }
        if name != AGAINST:
            draws = paired_draws(net, theirs, per_year, seed=0).sharpe
            row["difference"] = row["sharpe"] - metrics.sharpe_ratio(theirs, per_year)
            row["difference_ci95"] = [float(q) for q in np.percentile(draws, [2.5, 97.5])]
        rows.append(row)
    return rows


def run(title: str) -> dict[str, Any]:
    """All rows of one market."""
    source, first, end = MARKETS[title]
    chosen = {"data.source": source, "walk_forward.first_refit": first, "data.end": end}
    config = load_config(None, [], {k: v for k, v in chosen.items() if v is not None})
    job = prepare(load_prices(source, end=config.data.end), config)
    rows = judged(returns_of(job), job.prices.bars_per_year)
    index = job.prices.index
    told(title)
    return {
        "market": title,
        "source": source,
        "first": str(index[job.folds[0].test_first + 1].date()),
        "last": str(index[job.folds[-1].test_last + 1].date()),
        "cost_bps": config.simulation.cost_bps,
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dry", action="store_true", help="print only, store nothing")
    given = parser.parse_args()
    found = {"volatility": VOLATILITY, "markets": [run(title) for title in MARKETS]}
    keep("sizing", found, dry=given.dry)


if __name__ == "__main__":
    main()
