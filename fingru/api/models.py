"""Models as estimators: ``fit(prices)``, ``predict(prices)``, ``get_params``, ``set_params``."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

from fingru.api.forecasts import Forecasts
from fingru.config import Config, with_values
from fingru.errors import ConfigError, ModelError, did_you_mean
from fingru.forecast.problem import Fold
from fingru.market.load import as_prices
from fingru.market.prices import Prices
from fingru.market.sources import PriceSource
from fingru.models.protocol import origin_row
from fingru.models.registry import check_data, find_kind
from fingru.walkforward.walk import main_model, make_problem

if TYPE_CHECKING:
    from fingru.models.protocol import Fitted


class Model:
    """A forecaster of return distributions, by the conventions of scikit-learn.

    Parameters are those of ``fingru config`` without their section, and are checked when the
    model is made; ``get_params`` lists them. ``fit`` uses all prices it is given;
    ``walk_forward`` refits as it moves forward.

    Examples
    --------
    >>> EWMA(ewma_decay=0.97)
    EWMA(ewma_decay=0.97)
    >>> EWMA(decay=0.97)
    Traceback (most recent call last):
    fingru.errors.ConfigError: EWMA has no parameter 'decay': did you mean 'ewma_decay'?
    """

    kind: ClassVar[str] = ""  # name in the registry of models (``fingru models kinds``)

    def __init__(self, **parameters: Any) -> None:  # noqa: ANN401 - of many settings
        self._given: dict[str, Any] = {}
        self._fitted: tuple[Fitted, Config] | None = None
        self.set_params(**parameters)

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002 - scikit-learn's
        """All parameters with their current values."""
        values = {name: _value(Config(), key) for name, key in _keys(self.kind).items()}
        return values | self._given

    def set_params(self, **parameters: Any) -> Self:  # noqa: ANN401 - of many settings
        """Change parameters; the model must then be fitted again.

        Raises ``ConfigError`` if a parameter is unknown or its value is not allowed.
        """
        refuse_unknown(parameters, _keys(self.kind), type(self).__name__)
        given = self._given | parameters
        _config(self.kind, given)
        self._given, self._fitted = given, None
        return self

    def clone(self) -> Self:
        """An unfitted copy."""
        return type(self)(**copy.deepcopy(self._given))

    @property
    def config(self) -> Config:
        """Configuration of a run with this model."""
        return _config(self.kind, self._given)

    def fit(self, prices: Prices | PriceSource) -> Self:
        """Fit on all of these prices.

        Known at: the last session; forecasts from earlier origins are refused.
        """
        panel, config = as_prices(prices), self.config
        check_data(self.kind, panel, config)
        problem = make_problem(panel, config)
        last = panel.n_sessions - 1
        fold = Fold(number=0, origin=last, train_first=0, test_first=last, test_last=last)
        self._fitted = main_model(config).fit(problem, fold), config
        return self

    def predict(self, prices: Prices | PriceSource) -> Forecasts:
        """Forecast from the last session of the fit and every later one, without refitting.

        Give the whole history, not only the new sessions: features and volatilities need it.

        Known at: each row at its own close.

        Raises ``ModelError`` if the model is not fitted, or the prices do not continue those it
        was fitted on.
        """
        if self._fitted is None:
            raise ModelError(
                f"this {type(self).__name__} is not fitted", "call fit(prices) before predict"
            )
        fitted, config = self._fitted
        panel = as_prices(prices)
        problem = make_problem(panel, config)
        first, last = origin_row(fitted.manifest, panel.index), panel.n_sessions - 1
        forecast = fitted.predict(problem, range(first, last + 1))
        fold = Fold(number=0, origin=first, train_first=0, test_first=first, test_last=last)
        return Forecasts(forecast, panel, (fold,))

    def __repr__(self) -> str:
        """Class and parameters that differ from their defaults."""
        plain, keys = Config(), _keys(self.kind)
        shown = ", ".join(
            f"{name}={value!r}"
            for name, value in self._given.items()
            if value != _value(plain, keys[name])
        )
        return f"{type(self).__name__}({shown})"


class GRU(Model):
    """Ensemble of multi-scale GRUs with heads for mean, variance, tails and skew."""

    kind = "gru"


class EWMA(Model):
    """Exponentially weighted variance (RiskMetrics), mean zero, Student-t."""

    kind = "ewma"


class GARCH(Model):
    """GARCH(1,1) with Student-t errors."""

    kind = "garch"


class GJRGARCH(Model):
    """GJR-GARCH(1,1): losses raise the variance more than gains do; Student-t."""

    kind = "gjr_garch_t"


class RollingGJRGARCH(Model):
    """GJR-GARCH(1,1) fitted on the latest ``rolling_bars`` bars."""

    kind = "gjr_garch_t_rolling"


class HAR(Model):
    """Heterogeneous autoregression of squared returns."""

    kind = "har"


class Constant(Model):
    """Mean and variance of all returns before the refit."""

    kind = "constant"


def model(kind: str, **parameters: Any) -> Model:  # noqa: ANN401 - of many settings
    """A model of any registered kind, also those of other packages, and mixtures.

    Examples
    --------
    >>> model("ewma+garch")
    ewma+garch()
    """
    find_kind(kind)
    return _class_of(kind)(**parameters)


@cache
def _class_of(kind: str) -> type[Model]:
    shipped = {cls.kind: cls for cls in Model.__subclasses__()}
    return shipped.get(kind) or type(
        kind, (Model,), {"kind": kind, "__doc__": find_kind(kind).meaning}
    )


@cache
def _keys(kind: str) -> dict[str, str]:
    """Dotted configuration key by parameter of a kind of model."""
    entry = find_kind(kind)
    sections = ("model", "training", "features") if entry.needs_features else ("baselines",)
    keys = {"horizons": "horizons"}
    for section in sections:
        for name in type(getattr(Config(), section)).model_fields:
            if (section, name) not in {("model", "kind"), ("baselines", "names")}:
                keys[name] = f"{section}.{name}"
    if entry.recalibrated:
        keys["recalibrated"] = "recalibration.enabled"
    if entry.needs_features:
        keys |= {"seed": "seed", "device": "device"}
    return keys


def _value(config: Config, key: str) -> Any:  # noqa: ANN401 - of any setting
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _config(kind: str, given: dict[str, Any]) -> Config:
    keys = _keys(kind)
    values = {keys[name]: value for name, value in given.items()}
    return with_values(Config(), {"model.kind": kind, **values})


def refuse_unknown(names: Iterable[str], known: Iterable[str], where: str) -> None:
    """Raise a ``ConfigError`` for the first unknown name; it suggests the nearest one."""
    offered = list(known)
    for name in names:
        if name not in offered:
            hint = did_you_mean(name, offered).strip()
            raise ConfigError(
                f"{where} has no parameter {name!r}", hint or f"it has {', '.join(offered)}"
            )
