"""Features against plain `ta` and TA-Lib on the closes of the default job."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import peers
from numpy.typing import NDArray
from rounds import Figures, child, compare, interleaved, missing, seconds, timed
from ta.momentum import RSIIndicator
from ta.trend import MACD
from ta.volatility import BollingerBands

from fingru import load_prices
from fingru.features import build_features
from fingru.features.settings import FeatureSettings

SAME = FeatureSettings(columns=("rsi", "macd_histogram", "bollinger_position"), scales=(1,))
LARGE = {"assets": 500, "sessions": 8000}


def by_ta(close: NDArray[np.float64]) -> None:
    """RSI, MACD and Bollinger bands of every column, as a user of `ta` writes them."""
    for column in close.T:
        prices = pd.Series(column)
        RSIIndicator(prices).rsi()
        MACD(prices).macd_diff()
        bands = BollingerBands(prices)
        for band in (bands.bollinger_hband, bands.bollinger_mavg, bands.bollinger_lband):
            band()


def measure(rounds: int) -> list[Figures]:
    """Rows for the three indicators, and for all default columns against the three of the peer."""
    prices = load_prices("sample:us_stocks")
    own = {
        f"features: 3 columns, 1 scale, {prices.n_assets} x {prices.n_sessions:,}": SAME,
        "features: all default columns, 3 scales, against the same 3": FeatureSettings(),
    }
    works = {what: timed(partial(build_features, prices, s)) for what, s in own.items()}
    works["ta"] = timed(partial(by_ta, prices.close))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        np.save(folder / "close.npy", prices.close)
        running, absent = peers.start(stack, ["ta-lib"], folder)
        works |= running
        interleaved(works, 1)
        found = {name: seconds(r) for name, r in interleaved(works, rounds).items()}
    return [
        missing(what, peer, absent[peer])
        if peer in absent
        else compare(what, found[what], peer, found[peer])
        for what in own
        for peer in ("ta", "ta-lib")
    ]


def large() -> Figures:
    """Seconds and peak memory of a wide panel of closes, in a process of its own."""
    script = Path(__file__).parent / "growth.py"
    sizes = (str(LARGE["assets"]), str(LARGE["sessions"]))
    return LARGE | {"scales": 3} | child(script, "features", *sizes)
