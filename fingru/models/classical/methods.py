"""From the kind of a classical model to its method, and one asset's walk through the folds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from fingru.models.classical import garch
from fingru.models.classical.garch_fit import GarchKind
from fingru.models.classical.har import fit_har, forecast_har
from fingru.models.classical.series import (
    AssetFold,
    AssetForecast,
    AssetSeries,
    Method,
    Parameters,
)
from fingru.models.classical.simple import fit_constant, fit_ewma, forecast_constant, forecast_ewma


def garch_method(kind: GarchKind) -> Method:
    """Method of one member of the GARCH family."""
    return Method(partial(garch.fit_asset, kind), partial(garch.forecast_asset, kind), slow=True)


METHODS: Mapping[str, Method] = {
    "constant": Method(fit_constant, forecast_constant),
    "ewma": Method(fit_ewma, forecast_ewma),
    "har": Method(fit_har, forecast_har),
    "garch": garch_method(GarchKind(leverage=False)),
    "gjr_garch_t": garch_method(GarchKind(leverage=True)),
    "gjr_garch_t_rolling": garch_method(GarchKind(leverage=True, rolling=True)),
}


def walk_asset(
    method: Method, series: AssetSeries
) -> list[tuple[AssetFold, Parameters, AssetForecast]]:
    """Fit at every fold of one asset and forecast its test range.

    Known at: parameters at the fold's origin, everything else at the bar itself.
    """
    earlier: list[Parameters] = []
    found = []
    for fold in series.folds:
        parameters = method.fit(series, fold.train, earlier)
        earlier.append(parameters)
        found.append((fold, parameters, method.forecast(parameters, series, fold)))
    return found
