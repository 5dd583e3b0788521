"""fingru for notebooks: from a DataFrame to forecasts, a backtest and a report in a few lines.

    prices = fingru.Prices.from_frame(df)
    model = fingru.GRU(members=3).fit(prices)
    forecast = model.predict(prices)
    forecasts = fingru.walk_forward([model, fingru.GARCH()], prices, refit="year")
    result = fingru.backtest(prices, forecasts["gru"], strategy=Mine(), cost_bps=5)

These are the pieces of ``run_backtest`` and the command line, in memory. Where prices are taken,
a DataFrame is too. Mistakes raise a ``FingruError`` that says what to do.
"""

from fingru.api.backtests import backtest, tear_sheet
from fingru.api.forecasts import Forecasts
from fingru.api.models import (
    EWMA,
    GARCH,
    GJRGARCH,
    GRU,
    HAR,
    Constant,
    Model,
    RollingGJRGARCH,
    model,
)
from fingru.api.walking import Walked, compare, walk_forward

__all__ = [
    "EWMA",
    "GARCH",
    "GJRGARCH",
    "GRU",
    "HAR",
    "Constant",
    "Forecasts",
    "Model",
    "RollingGJRGARCH",
    "Walked",
    "backtest",
    "compare",
    "model",
    "tear_sheet",
    "walk_forward",
]
