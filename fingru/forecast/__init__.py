"""Forecasts of the distribution of the next returns, and what they are made from.

A ``Forecast`` holds one ``distributions.Distribution`` per session, asset and horizon, free of
torch; a ``Forecaster`` makes one by walking forward over folds, from the prices, features and
``Labels`` of a ``ForecastProblem``. How good it was is for ``measures`` to say.

Flow: features -> sequences -> model -> **forecast** -> strategy -> backtest -> report.
"""

from fingru.forecast.forecast import COLUMNS, Forecast
from fingru.forecast.labels import Labels, make_labels
from fingru.forecast.problem import Fold, Forecaster, ForecastProblem

__all__ = [
    "COLUMNS",
    "Fold",
    "Forecast",
    "ForecastProblem",
    "Forecaster",
    "Labels",
    "make_labels",
]
