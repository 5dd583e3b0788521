"""Forecasts of the distribution of the next returns, and how good they were.

A ``Forecast`` is mean, variance and degrees of freedom per session, asset and horizon, free of
torch; a ``Forecaster`` makes one by walking forward over folds. Here live the classical
``baselines`` that every model has to beat, proper ``scores``, tests of equal accuracy and of
coverage (``significance``), ``calibration`` tables, and the ``evaluation`` that puts models on
the same rows.

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
