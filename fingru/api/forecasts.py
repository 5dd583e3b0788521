"""Forecasts as tables: by session and asset, with scores and figures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fingru.arrays import FloatArray
from fingru.backtest.result import BacktestResult, no_training
from fingru.distributions import Distribution
from fingru.errors import DataError
from fingru.forecast.forecast import Forecast
from fingru.forecast.labels import Labels, make_labels
from fingru.forecast.problem import Fold
from fingru.market.prices import Prices
from fingru.market.sessions import session_name
from fingru.strategy.view import check_same_panel

if TYPE_CHECKING:
    import plotly.graph_objects as go

Day = str | pd.Timestamp | None

_SCORES = ("log_score", "crps", "qlike", "rmse", "mae", "coverage90", "coverage95", "ic", "n")
_LEVELS = (0.05, 0.5, 0.95)


@dataclass(frozen=True, repr=False)
class Forecasts:
    """One model's distributions of the log returns after each origin.

    Tables have one row per origin (the session at whose close the forecast was made) and one
    column per asset, or per asset and horizon where there are several. Log returns (0.01 is about
    1 %) over the next bars of the asset; NaN where there is no forecast.
    """

    forecast: Forecast  # arrays on all sessions of the prices
    prices: Prices
    folds: tuple[Fold, ...]  # when the model was fitted, and which origins it forecast

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.forecast.model

    @property
    def origins(self) -> pd.DatetimeIndex:
        """Sessions at whose close forecasts were made."""
        return self.prices.index[self._rows]

    @property
    def mean(self) -> pd.DataFrame:
        """Expected log return."""
        return self._table(self._shown.mean)

    @property
    def variance(self) -> pd.DataFrame:
        """Variance of the log return."""
        return self._table(self._shown.variance)

    @property
    def std(self) -> pd.DataFrame:
        """Standard deviation of the log return."""
        return self._table(self._shown.std)

    def quantile(self, level: float) -> pd.DataFrame:
        """Quantile of the log return, exceeded with probability ``1 - level``."""
        _check_probability(level)
        return self._table(self._shown.ppf(level))

    def interval(self, probability: float = 0.9) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Lower and upper bound of the central interval of the log return."""
        _check_probability(probability)
        return self.quantile(0.5 - probability / 2.0), self.quantile(0.5 + probability / 2.0)

    def sample(self, n: int, origin: Day = None, seed: int = 0) -> pd.DataFrame:
        """Draw log returns (n rows) from the forecast of one origin, the latest if None.

        Assets and horizons are drawn independently.
        """
        row = self._row(origin)
        sample = self.forecast.distribution[row].sample(n, np.random.default_rng(seed))
        return pd.DataFrame(sample.reshape(n, -1), columns=self._columns)

    def at(self, origin: Day = None) -> pd.DataFrame:
        """The forecasts of one origin, the latest if None: assets (and horizons) as rows."""
        distribution = self.forecast.distribution[self._row(origin)]
        values = {"mean": distribution.mean, "std": distribution.std}
        values |= {f"q{100 * level:02.0f}": distribution.ppf(level) for level in _LEVELS}
        return pd.DataFrame({k: v.reshape(-1) for k, v in values.items()}, index=self._columns)

    def to_frame(self) -> pd.DataFrame:
        """Long table, one row per forecast, with the outcome where it is known.

        Columns as in ``forecasts.parquet``: origin, target, asset, horizon, model, mean,
        variance, df, realized and more.
        """
        keys = ["origin", "asset", "horizon"]
        known = self._known[[*keys, "target", "realized"]]
        joined = self.forecast.to_frame().merge(known, on=keys, how="left")
        order = [name for name in self._known.columns if name in joined]
        return joined[order].sort_values(["horizon", "origin"], kind="stable", ignore_index=True)

    def scores(self, by_asset: bool = False) -> pd.DataFrame:
        """Scores on known outcomes, by horizon, pooled over assets or for each asset.

        ``log_score`` is the mean negative log density; it, ``crps`` and ``qlike`` are losses:
        smaller is better.

        Raises ``DataError`` if no outcome is known.
        """
        from fingru.measures.evaluation import score_forecasts

        if self._known.empty:
            raise DataError(
                f"no outcome of the forecasts of {self.model} is known yet",
                "give prices that go on after the first forecast",
            )
        rows = {}
        for horizon, scores in score_forecasts(self._known, self.prices)[self.model].items():
            leaves = scores["assets"] if by_asset else {"pooled": scores["pooled"]}
            for asset, leaf in leaves.items():
                rows[int(horizon), asset] = {name: leaf[name] for name in _SCORES}
        table = pd.DataFrame.from_dict(rows, orient="index")
        table.index = pd.MultiIndex.from_tuples(rows, names=["horizon", "asset"])
        return table if by_asset else table.droplevel("asset")

    def plot(self, asset: str | None = None, horizon: int | None = None) -> go.Figure:
        """Forecast bands of an asset (the first if None), with the outcomes."""
        from fingru.report.forecast_bands import forecast_bands

        name = self.prices.assets[0] if asset is None else asset
        ahead = self.forecast.horizons[0] if horizon is None else horizon
        for what, value, known in (
            ("asset", name, self.prices.assets),
            ("horizon", ahead, self.forecast.horizons),
        ):
            if value not in known:
                raise DataError(
                    f"{what} {value!r} is not forecast", f"choose {', '.join(map(str, known))}"
                )
        return forecast_bands(self._as_result(), name, ahead, self.model)

    def __len__(self) -> int:
        """Number of origins."""
        return len(self.origins)

    def __repr__(self) -> str:
        """One line."""
        first, last = (session_name(self.origins[i]) for i in (0, -1))
        assets = f"{self.prices.n_assets} asset{'s' if self.prices.n_assets > 1 else ''}"
        ahead = ", ".join(map(str, self.forecast.horizons))
        return f"<Forecasts of {self.model}: {assets}, {first} to {last}, horizon {ahead}>"

    def _repr_html_(self) -> str:
        """The latest forecasts, for notebooks."""
        from html import escape

        return f"<p>{escape(repr(self)[1:-1])}; the latest:</p>{self.at().to_html()}"

    @property
    def _rows(self) -> slice:
        return slice(self.folds[0].test_first, self.folds[-1].test_last + 1)

    @cached_property
    def _shown(self) -> Distribution:
        return self.forecast.distribution[self._rows]

    @property
    def _columns(self) -> pd.Index:
        assets, horizons = self.prices.assets, self.forecast.horizons
        if len(horizons) == 1:
            return pd.Index(assets, name="asset")
        return pd.MultiIndex.from_product([assets, horizons], names=["asset", "horizon"])

    def _table(self, values: FloatArray) -> pd.DataFrame:
        index = self.origins.rename("origin")
        return pd.DataFrame(values.reshape(len(index), -1), index, self._columns)

    def _row(self, origin: Day) -> int:
        if origin is None:
            return self.folds[-1].test_last
        stamp = pd.Timestamp(origin)
        if stamp.tz is None and self.prices.index.tz is not None:
            stamp = stamp.tz_localize(self.prices.index.tz)
        if stamp not in self.origins:
            raise DataError(
                f"there is no forecast with the origin {session_name(stamp)}",
                f"choose a session of {session_name(self.origins[0])} to "
                f"{session_name(self.origins[-1])}",
            )
        return int(self.prices.index.searchsorted(stamp))

    @cached_property
    def labels(self) -> Labels:
        """Outcomes, where they are known."""
        return make_labels(self.prices, self.forecast.horizons)

    @cached_property
    def _known(self) -> pd.DataFrame:
        return self.forecast.to_frame(self.labels)

    def _as_result(self) -> BacktestResult:
        nothing = pd.DataFrame()
        manifest = {"strategy": "", "model": self.model, "config": {}}
        return BacktestResult(
            manifest, {}, self.to_frame(), nothing, nothing, nothing, no_training()
        )


def as_forecasts(forecast: Forecasts | Forecast, prices: Prices) -> Forecasts:
    """Wrap forecasts of these prices; ``DataError`` if they are of other sessions or assets."""
    arrays = forecast.forecast if isinstance(forecast, Forecasts) else forecast
    if not isinstance(arrays, Forecast):
        raise DataError(
            f"a {type(forecast).__name__} is no forecast",
            "give what predict or walk_forward gave, or weights=",
        )
    check_same_panel(arrays, prices)
    if isinstance(forecast, Forecasts):
        return forecast
    rows = np.flatnonzero(np.isfinite(arrays.mean).any(axis=(1, 2)))
    if not rows.size:
        raise DataError(f"{arrays.model} forecast nothing", "give longer prices")
    first, last = int(rows[0]), int(rows[-1])
    fold = Fold(number=0, origin=first, train_first=0, test_first=first, test_last=last)
    return Forecasts(arrays, prices, (fold,))


def _check_probability(value: float) -> None:
    if not 0.0 < value < 1.0:
        raise DataError(f"{value:g} is no probability", "give one between 0 and 1, such as 0.9")
