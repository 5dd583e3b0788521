"""Forecasts of the distribution of the next returns, and the problem they solve.

A ``Forecast`` holds one ``distributions.Distribution`` per session, asset and horizon, free of
torch. The models of ``fingru.models`` make it from the prices, features and ``Labels`` of a
``ForecastProblem``; ``measures`` evaluates it.
"""

from fingru.forecast.forecast import COLUMNS, Forecast
from fingru.forecast.labels import Labels, make_labels
from fingru.forecast.problem import Fold, ForecastProblem

__all__ = ["COLUMNS", "Fold", "Forecast", "ForecastProblem", "Labels", "make_labels"]
