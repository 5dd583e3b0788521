"""The samples that need no network: US stocks, two indices, and a simulated market."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
from pydantic import ValidationError

from fingru.bundled import bundled_path
from fingru.errors import DataError
from fingru.market.issues import warning
from fingru.market.prices import FIELDS
from fingru.market.simulated import SimulatedMarketSettings, simulate_market
from fingru.market.table import RawTable, Reading, Stamps

SAMPLES = ("us_stocks", "indices", "simulated")
SURVIVORS = warning(
    "survivor_bias",
    "these 20 stocks were chosen because they were still large in 2022: returns are better than "
    "an investor of 1990 could have expected (survivor bias)",
    "compare strategies with each other and with buy and hold, not with what others earned",
)


def read_sample(name: str, assets: Sequence[str] | None = None) -> Reading:
    """Read ``us_stocks``, ``indices`` or ``simulated?assets=6&sessions=2500&signal=0.1&seed=3``.

    Raises
    ------
    DataError
        If there is no such sample or option.
    """
    base, _, options = name.partition("?")
    if base == "simulated":
        return _simulated(options)
    if options or base not in SAMPLES:
        raise DataError(f"there is no sample {name!r}", f"choose from {', '.join(SAMPLES)}")
    from fingru.market.sources.csv_file import read_csv

    files = sample_files(base)
    if base == "us_stocks":
        return Reading((read_csv(files[0], "us_stocks", assets),), (SURVIVORS,))
    if not files:
        raise DataError("sample:indices comes with the package arch", "pip install arch")
    return Reading(tuple(map(read_csv, files, ("SP500", "NASDAQ"))))


def sample_files(name: str) -> tuple[Path, ...]:
    """Files of a sample: none if it is simulated, or if arch is not installed."""
    if name == "us_stocks":
        return (bundled_path("data/us_stocks.csv.gz"),)
    package = find_spec("arch") if name == "indices" else None  # importing it takes seconds
    if package is None or package.origin is None:
        return ()
    folder = Path(package.origin).parent / "data"
    return folder / "sp500" / "sp500.csv.gz", folder / "nasdaq" / "nasdaq.csv.gz"


def _simulated(options: str) -> Reading:
    values = dict(parse_qsl(options, keep_blank_values=True))
    allowed = ["seed", *SimulatedMarketSettings.model_fields]
    if unknown := [k for k in values if k not in allowed]:
        problem = f"sample:simulated has no option {unknown[0]!r}"
        raise DataError(problem, f"choose from {', '.join(allowed)}")
    seed = values.pop("seed", "0")
    if not seed.isdecimal():
        raise DataError(f"sample:simulated: seed {seed!r} is not a whole number", "use seed=0")
    try:
        settings = SimulatedMarketSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or "the options together"
        problem = f"sample:simulated: {name}: {first['msg']}"
        raise DataError(problem, "change the option") from error
    prices = simulate_market(settings, int(seed)).prices
    fields = {name: np.array(getattr(prices, name)) for name in FIELDS}
    table = RawTable("sample:simulated", Stamps.of(prices.index), prices.assets, fields)
    return Reading((table,), prices.findings, prices.bars_per_year, prices.allow)
