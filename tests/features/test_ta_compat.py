"""``ta`` on stacked series against ``ta`` on each alone, to the last bit."""

import numpy as np
import pandas as pd
import pytest
from ta.momentum import RSIIndicator
from ta.trend import MACD
from ta.volatility import BollingerBands

from fingru.features.ta_compat import stacked


@pytest.fixture
def closes(panel):
    """Six series of 200 bars: one flat, one that stops moving, one huge, one that ends early."""
    close = panel(200, 6).close.T.copy()
    close[1] = 7.0
    close[2, 50:] = close[2, 50]
    close[3] *= 1e9
    close[4, 120:] = np.nan
    return close


def lines(close):
    """Every line of ``ta`` that a feature is made of."""
    macd, bands = MACD(close, 26, 12, 9), BollingerBands(close, 20)
    return {
        "rsi": RSIIndicator(close, 14).rsi(),
        "macd": macd.macd(),
        "signal": macd.macd_signal(),
        "histogram": macd.macd_diff(),
        "high band": bands.bollinger_hband(),
        "low band": bands.bollinger_lband(),
        "middle band": bands.bollinger_mavg(),
        "%b": bands.bollinger_pband(),
        "band width": bands.bollinger_wband(),
    }


def test_each_stacked_series_is_computed_as_if_it_were_alone(closes):
    together = {
        name: line.to_numpy().reshape(6, 200) for name, line in lines(stacked(closes)).items()
    }
    for k, close in enumerate(closes):
        for name, alone in lines(pd.Series(close)).items():
            np.testing.assert_array_equal(together[name][k], alone.to_numpy(), err_msg=name)


def test_a_series_does_not_see_its_neighbours(closes):
    before = lines(stacked(closes))
    changed = closes.copy()
    changed[[0, 2, 3]] *= np.random.default_rng(1).lognormal(0, 1, (3, 200))
    for name, line in lines(stacked(changed)).items():
        kept = [line.to_numpy().reshape(6, 200)[[1, 4, 5]] for line in (line, before[name])]
        assert kept[0].tobytes() == kept[1].tobytes(), name


@pytest.mark.parametrize("method", ["shift", "cumsum", "cummax", "expanding", "ffill"])
def test_what_else_looks_back_is_refused(closes, method):
    with pytest.raises(NotImplementedError, match="borders"):
        getattr(stacked(closes), method)()
