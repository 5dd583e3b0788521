"""What a strategy is: one small class that turns a view of the present into target weights.

``load_strategy`` finds one by shipped name, by file, or as ``module:Class``. The functions at the
end are for strategies to use: the risk of a portfolio, and what to do with what cannot be traded.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, get_args, get_type_hints

import numpy as np
import pandas as pd
from pydantic import ConfigDict, TypeAdapter, ValidationError

from fingru import own_code
from fingru.arrays import BoolArray, FloatArray
from fingru.bundled import bundled_path
from fingru.errors import StrategyError
from fingru.own_code import import_source
from fingru.strategy.risk import common_bars


@dataclass(frozen=True)
class ForecastView:
    """The latest forecast; arrays (A, H), NaN where an asset has none.

    It has origin t, but that of an asset whose market is closed at t has the asset's last bar: it
    still is the forecast of its next one.

    Mean and variance are the moments of the next log return; ``df`` and ``skew`` are the tails
    and the asymmetry of its Student-t, as in ``Forecast``.
    ``scale`` is the factor that the misses so far have put on the standard deviation, which
    ``variance`` already has: 1 where the model is as wide as it should be. None without
    recalibration.
    """

    horizons: tuple[int, ...]
    mean: FloatArray
    variance: FloatArray
    df: FloatArray | None = None
    epistemic_variance: FloatArray | None = None
    scale: FloatArray | None = None
    skew: FloatArray | None = None


@dataclass(frozen=True)
class View:
    """What a strategy may know when it decides at the close of session t.

    All arrays are read-only and end at t.

    Parameters
    ----------
    date
        Session t.
    assets
        A symbols.
    close
        (t + 1, A) closes up to and including t; NaN where an asset has no bar.
    log_returns
        (t + 1, A) one-bar log returns, NaN without a bar.
    forecast
        The chosen model's forecast with origin t, or None before the first fold.
    weights
        (A,) current weights after drift, before this decision; cash is 1 - sum.
    tradable
        (A,) bool: the asset has a bar at t.
    bars_per_year
        Sessions of the panel in a year: annual variance = variance per session x bars_per_year.
    waiting
        (A,) weights that orders of earlier decisions will bring holdings to, once the market of
        the asset opens; NaN where none waits. A new decision takes their place.
    listed
        (A,) bool: the asset has had a bar, and not so long ago that it counts as delisted; its
        market may be closed at t.
    asset_bars_per_year
        (A,) bars of each asset in a year, by its own calendar: annual variance = variance per bar
        of the asset x these. The same as ``bars_per_year`` where it has a bar in every session.
    """

    date: pd.Timestamp
    assets: tuple[str, ...]
    close: FloatArray
    log_returns: FloatArray
    forecast: ForecastView | None
    weights: FloatArray
    tradable: BoolArray
    bars_per_year: float
    waiting: FloatArray = field(default_factory=lambda: np.empty(0))
    listed: BoolArray = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    asset_bars_per_year: FloatArray = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        """What is not given is that of one market in which nothing waits."""
        n_assets = len(self.assets)
        if not self.waiting.size:
            object.__setattr__(self, "waiting", np.full(n_assets, np.nan))
        if not self.listed.size:
            object.__setattr__(self, "listed", self.tradable)
        if not self.asset_bars_per_year.size:
            object.__setattr__(self, "asset_bars_per_year", np.full(n_assets, self.bars_per_year))

    @property
    def committed(self) -> FloatArray:
        """(A,) ``weights``, as they will be where orders wait."""
        return np.where(np.isnan(self.waiting), self.weights, self.waiting)

    @property
    def bars_per_session(self) -> FloatArray:
        """(A,) bars of each asset per session: variance per session = variance per bar x these."""
        return self.asset_bars_per_year / self.bars_per_year


class Strategy(Protocol):
    """Decides target weights at the close of every session.

    A class that cannot decide without ``view.forecast`` says ``needs_forecast = True``; it is then
    refused in a run without forecasts instead of staying in cash.
    """

    def target_weights(self, view: View) -> FloatArray | pd.Series | dict[str, float] | None:
        """Target weights of the assets; None keeps the present holdings untouched.

        An array is in the order of ``view.assets``; a Series or dict names assets, missing ones
        are 0. Negative weights are short positions; what is left of 1 is cash.
        """


def available_strategies() -> list[str]:
    """Names of the shipped strategies."""
    return sorted(path.stem for path in bundled_path("strategies").glob("[!_]*.py"))


def split_reference(reference: str) -> tuple[str, str]:
    """File, module or shipped name of a reference, and the class or function it wants of it.

    The second is empty where none is named; the colon of a drive letter names none.
    """
    place, colon, wanted = reference.rpartition(":")
    return (place, wanted) if colon and wanted.isidentifier() else (reference, "")


def is_shipped(reference: str) -> bool:
    """Whether a reference names a shipped strategy, or none at all; else it names own code."""
    place, wanted = split_reference(reference)
    return not (place.endswith(".py") or (place and wanted))


def load_strategy(
    reference: str, settings: Mapping[str, Any] | None = None
) -> tuple[str, Strategy]:
    """Find a strategy and build it.

    Parameters
    ----------
    reference
        A shipped name (``vol_target``), a file (``my.py``, or ``my.py:MyClass`` if it has several
        strategies), or ``module:Class``; modules are also looked for in the working directory.
    settings
        Keyword arguments of the class.

    Returns
    -------
    tuple of str and Strategy
        The name (shipped name, stem of the file, or class) and a new instance. A file of one's
        own that is called like a shipped strategy is named ``<stem>_custom``, so that the two
        can stand side by side in one table.

    Raises
    ------
    StrategyError
        If it cannot be found, imported or built; names file and line of a failure.

    Examples
    --------
    >>> name, strategy = load_strategy("vol_target", {"volatility": 0.1})
    >>> name, strategy.volatility
    ('vol_target', 0.1)
    """
    place, wanted = split_reference(reference)
    if place.endswith(".py"):
        module = _import_file(Path(place).expanduser())
    elif wanted:
        module = _import_module(place)
    else:
        module = _import_file(_shipped_file(place))
    found = _find_class(module, reference, wanted)
    return wanted or _name_of(place), _build(found, reference, settings or {})


@dataclass(frozen=True)
class StrategyNote:
    """One shipped strategy.

    Parameters
    ----------
    name
        As ``--strategy`` takes it.
    meaning
        One line.
    needs_forecast
        Whether it cannot decide without a model.
    parameters
        Defaults by name, as ``strategy.parameters`` takes them.
    """

    name: str
    meaning: str
    needs_forecast: bool
    parameters: dict[str, Any]


def list_strategies() -> list[StrategyNote]:
    """Every shipped strategy with its parameters."""
    notes = []
    for name in available_strategies():
        found = _find_class(_import_file(_shipped_file(name)), name, "")
        parameters = inspect.signature(found).parameters.values()
        notes.append(
            StrategyNote(
                name=name,
                meaning=(inspect.getdoc(found) or "").partition("\n")[0],
                needs_forecast=bool(getattr(found, "needs_forecast", False)),
                parameters={p.name: p.default for p in parameters},
            )
        )
    return notes


def _name_of(place: str) -> str:
    path = Path(place).expanduser()
    called_like_shipped = path.suffix == ".py" and path.stem in available_strategies()
    if called_like_shipped and not path.samefile(_shipped_file(path.stem)):
        return f"{path.stem}_custom"
    return path.stem


def _shipped_file(name: str) -> Path:
    if name not in available_strategies():
        close = difflib.get_close_matches(name, available_strategies(), n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise StrategyError(
            f"there is no strategy {name!r}",
            f"{hint}shipped are {', '.join(available_strategies())}; "
            "your own is given as FILE.py or module:Class",
        )
    return bundled_path("strategies") / f"{name}.py"


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise StrategyError(f"strategy file {path} does not exist", "check the path")
    name = f"fingru_strategy_{path.stem}"
    module: ModuleType = _run_import(lambda: import_source(name, path), str(path))
    return module


def _import_module(name: str) -> ModuleType:
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        module: ModuleType = _run_import(lambda: importlib.import_module(name), name)
    finally:
        sys.path.remove(folder)
    return module


def _run_import(load: Callable[[], Any], place: str) -> Any:  # noqa: ANN401 - whatever load gives
    try:
        return load()
    except SyntaxError as error:
        raise StrategyError(
            f"strategy {place} is not valid Python: {error.msg}",
            f"see {error.filename}, line {error.lineno}",
        ) from error
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = (__file__, own_code.__file__)
        own = [f for f in frames if "importlib" not in f.filename and f.filename not in ours]
        where = f"see {own[-1].filename}, line {own[-1].lineno}" if own else "check the name"
        raise StrategyError(
            f"strategy {place} cannot be imported, {type(error).__name__}: {error}", where
        ) from error


def _find_class(module: ModuleType, reference: str, wanted: str) -> type:
    own = {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value) and callable(getattr(value, "target_weights", None))
        if value.__module__ == module.__name__ and not name.startswith("_")
    }
    if wanted:
        named = getattr(module, wanted, None)
        if inspect.isclass(named) and callable(getattr(named, "target_weights", None)):
            return named
        raise StrategyError(
            f"{reference}: there is no class {wanted!r} with a method target_weights(self, view)",
            f"strategies there: {', '.join(own) or 'none'}",
        )
    if not own:
        raise StrategyError(
            f"{reference} has no class with a method target_weights(self, view)",
            "write one, or copy a shipped strategy",
        )
    if len(own) > 1:
        raise StrategyError(
            f"{reference} has several strategies: {', '.join(own)}",
            f"name one, such as {reference}:{next(iter(own))}",
        )
    return next(iter(own.values()))


def _build(found: type, reference: str, settings: Mapping[str, Any]) -> Strategy:
    parameters = inspect.signature(found).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for key in settings:
        if key not in parameters and not takes_any:
            close = difflib.get_close_matches(key, parameters, n=1)
            known = ", ".join(parameters) or "none"
            raise StrategyError(
                f"strategy {reference} has no parameter {key!r}",
                f"did you mean {close[0]!r}?" if close else f"its parameters: {known}",
            )
    missing = [
        name
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty and name not in settings
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if missing:
        raise StrategyError(
            f"strategy {reference} needs the parameter {missing[0]!r}",
            f"set strategy.parameters.{missing[0]}",
        )
    types = _declared_types(found)
    values = {
        key: _typed(value, types.get(key), (reference, key)) for key, value in settings.items()
    }
    try:
        strategy: Strategy = found(**values)
    except Exception as error:
        raise StrategyError(
            f"strategy {reference} cannot be built, {type(error).__name__}: {error}",
            "change strategy.parameters",
        ) from error
    return strategy


def _declared_types(found: type) -> dict[str, Any]:
    try:
        return get_type_hints(found.__init__)  # type: ignore[misc]
    except NameError:  # a type that is imported for the type checker only
        return {}


def _typed(value: object, annotation: Any, where: tuple[str, str]) -> object:  # noqa: ANN401
    """Check a parameter against the type its class declares, if it declares one."""
    if annotation is None:
        return value
    reference, key = where
    wanted = {annotation, *get_args(annotation)}
    if isinstance(value, bool) and wanted & {int, float} and bool not in wanted:
        raise StrategyError(
            f"strategy {reference}: parameter {key!r} is {str(value).lower()}", "give a number"
        )
    try:
        adapter = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
        return adapter.validate_python(value)
    except ValidationError as error:
        raise StrategyError(
            f"strategy {reference}: parameter {key!r} is {value!r}",
            error.errors()[0]["msg"],
        ) from None


def portfolio_variance(
    weights: FloatArray, returns: FloatArray, decay: float = 1.0, fewest_rows: int = 60
) -> float:
    """Variance per session of a portfolio, as if it had been held through past returns.

    ``sum_k decay**k p_k**2 / sum_k decay**k n_k`` with k = 0 the newest row and ``p_k`` the sum of
    ``weights * returns[k]``. With one calendar (``n_k`` = 1) it equals ``w' C w`` with C the EWMA
    covariance (mean zero) without building C. Sessions in which some assets are closed are merged
    into the next in which all have a bar (``risk.common_bars``), ``n_k`` is how many. A row
    without the returns of assets that are not listed counts by the weight that has one; rows with
    less than half of the weight are left out.

    Parameters
    ----------
    weights
        (A,)
    returns
        (n, A) simple returns, ``np.expm1(view.log_returns[-n:])``, oldest first; NaN where
        missing. Those of the assets add up to the portfolio's; log returns do not.
    decay
        Weight of a row relative to the next newer one; 1 weighs all the same.
    fewest_rows
        Fewer usable rows than this give NaN.

    Known at: the last row of ``returns``.

    Examples
    --------
    >>> portfolio_variance(np.array([0.5, 0.5]), np.array([[0.02, 0.04], [0.01, np.nan]]), 1.0, 2)
    0.0005
    """
    size = np.abs(weights)
    gross = size.sum()
    if gross == 0.0:
        return 0.0
    returns, closed, sessions = common_bars(returns, fewest_rows, size)
    present = np.isfinite(returns)
    share = (present | closed) @ size / gross  # what is closed earns nothing, and keeps its weight
    usable = share >= 0.5
    if np.count_nonzero(usable) < fewest_rows:
        return np.nan
    earned = (np.where(present, returns, 0.0) @ weights)[usable] / share[usable]
    counts = decay ** np.arange(earned.size - 1, -1, -1)
    return float((earned**2 * counts).sum() / (counts * sessions[usable]).sum())


def moments_per_bar(
    forecast: ForecastView, horizon: int | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean, variance and epistemic variance of the log return per bar, (A,) each.

    Of the forecast with the nearest horizon; None averages all horizons. The epistemic variance,
    that of the mean itself, is 0 where the forecast has none.
    """
    bars = np.array(forecast.horizons, dtype=np.float64)
    near = slice(None)
    if horizon is not None:
        first = int(np.argmin(np.abs(bars - horizon)))
        near = slice(first, first + 1)
    # A product with equal shares: the means of many short rows take far longer.
    share = 1.0 / (bars[near] * len(bars[near]))
    mean, variance = forecast.mean[:, near] @ share, forecast.variance[:, near] @ share
    if forecast.epistemic_variance is None:
        return mean, variance, np.zeros_like(mean)
    doubt = forecast.epistemic_variance[:, near]
    doubt = np.where(np.isfinite(doubt), doubt, 0.0)
    return mean, variance, doubt @ (share / bars[near])


def calibration_trust(forecast: ForecastView, tolerance: float) -> float:
    """Share of a volatility limit that may be used; below 1 while calibration fails.

    ``min(1, tolerance / factor)`` with the factor by which recalibration has to change the width
    of the forecasts, in either direction, for the middle asset; 1 without recalibration.
    """
    if forecast.scale is None:
        return 1.0
    off = np.abs(np.log(forecast.scale[:, 0]))
    off = off[np.isfinite(off)]
    factor = np.exp(np.median(off)) if off.size else 1.0
    return float(min(1.0, tolerance / factor))


def with_fixed_holdings(
    view: View, wanted: FloatArray, movable: BoolArray, max_leverage: float
) -> FloatArray:
    """Keep the weight of what is not ``movable``, and shrink the rest to fit beside it.

    The weight kept is the present one, or that of an order that waits.

    The movable part of ``wanted`` is scaled down, never up, so that all absolute weights together
    stay within ``max_leverage`` (or the fixed part alone, if that is already larger).
    """
    kept = view.committed
    taken = np.maximum(np.abs(view.weights), np.abs(kept))[~movable]
    room = max(0.0, max_leverage - float(taken.sum()))
    gross = float(np.abs(wanted[movable]).sum())
    scale = min(1.0, room / gross) if gross > 0.0 else 1.0
    return np.where(movable, scale * wanted, kept)
