"""How a strategy is found: by shipped name, in a file, as ``module:Class``, or a Python object."""

from __future__ import annotations

import copy
import inspect
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, get_args, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from fingru.bundled import bundled_path
from fingru.errors import FingruWarning, StrategyError, did_you_mean
from fingru.own_code import find_own_code
from fingru.strategy.view import Strategy


@dataclass(frozen=True)
class StrategyObject:
    """What is kept of a strategy that was given as a Python object.

    Parameters
    ----------
    reference
        ``module:Class``.
    parameters
        Public attributes of the instance; ``repr`` of those that are not plain values.
    source
        Of the class; empty where Python cannot find it, as in some consoles.
    """

    reference: str
    parameters: dict[str, Any]
    source: str


@dataclass(frozen=True)
class StrategyFactory:
    """A strategy that is loaded once and built anew for each simulation.

    Parameters
    ----------
    name
        For tables and messages.
    make
        Makes a new strategy, so that simulations share no state: a file is run again, an instance
        is copied.
    needs_forecast
        Whether it cannot decide without a forecast.
    given
        None unless it was given as an object.
    """

    name: str
    make: Callable[[], Strategy]
    needs_forecast: bool = False
    given: StrategyObject | None = None


def available_strategies() -> list[str]:
    """Names of the shipped strategies."""
    return sorted(path.stem for path in bundled_path("strategies").glob("[!_]*.py"))


def split_reference(reference: str) -> tuple[str, str]:
    """File, module or shipped name of a reference, and its class or function (empty if none).

    The colon of a drive letter does not count.
    """
    code, colon, attribute = reference.rpartition(":")
    return (code, attribute) if colon and attribute.isidentifier() else (reference, "")


def is_shipped(reference: str) -> bool:
    """Whether a reference is a plain name, not own code."""
    code, attribute = split_reference(reference)
    return not (code.endswith(".py") or (code and attribute))


def load_strategy(
    strategy: str | Strategy | type[Strategy], parameters: Mapping[str, Any] | None = None
) -> tuple[str, Strategy]:
    """Name and instance of the strategy that ``find_strategy`` finds.

    Examples
    --------
    >>> name, strategy = load_strategy("vol_target", {"volatility": 0.1})
    >>> name, strategy.volatility
    ('vol_target', 0.1)
    """
    factory = find_strategy(strategy, parameters)
    return factory.name, factory.make()


def find_strategy(
    strategy: str | Strategy | type[Strategy], parameters: Mapping[str, Any] | None = None
) -> StrategyFactory:
    """Find a strategy, and check that it can be built.

    Parameters
    ----------
    strategy
        A shipped name (``vol_target``), a file (``my.py``, or ``my.py:MyClass`` if it has several
        strategies), or ``module:Class``, also of a module in the working directory. Or a Python
        object: an instance, copied for each simulation, or a class, called for each.
    parameters
        Keyword arguments of the class; an instance has its own.

    Returns
    -------
    StrategyFactory
        Named like the shipped strategy, the stem of the file, or the class; ``<name>_custom`` if
        that is the name of another, shipped strategy.

    Raises
    ------
    StrategyError
        If it cannot be found, imported, built or copied; names file and line of a failure.
    """
    parameters = dict(parameters or {})
    if not isinstance(strategy, str):
        return _of_object(strategy, parameters)
    name, attribute = split_reference(strategy)
    if is_shipped(strategy):
        cls = _shipped_class(name)
        values = _arguments(cls, strategy, parameters)
        return _factory(name, cls, lambda: _instance(cls, strategy, values))
    code = find_own_code(name, "strategy", StrategyError)
    cls = _class_in(code.load(), strategy, attribute)
    values = _arguments(cls, strategy, parameters)

    def make() -> Strategy:
        return _instance(_class_in(code.load(), strategy, attribute), strategy, values)

    return _factory(attribute or _name_of_file(name), cls, make)


def _factory(
    name: str, cls: type, make: Callable[[], Strategy], given: StrategyObject | None = None
) -> StrategyFactory:
    make()  # what cannot be built is refused here
    return StrategyFactory(name, make, bool(getattr(cls, "needs_forecast", False)), given)


def _of_object(strategy: Any, parameters: dict[str, Any]) -> StrategyFactory:  # noqa: ANN401
    is_class = inspect.isclass(strategy)
    cls = strategy if is_class else type(strategy)
    name = cls.__name__
    if not callable(getattr(strategy, "target_weights", None)):
        raise StrategyError(
            f"{name} is not a strategy: it has no method target_weights(self, view)",
            "give a strategy's name, file, class or instance",
        )
    if parameters and not is_class:
        raise StrategyError(
            f"strategy {name} is an instance, which takes no parameters",
            "set them on the instance, or give its class",
        )
    try:
        source = inspect.getsource(cls)
    except (OSError, TypeError):
        source = ""
    kept = parameters if is_class else _attributes(strategy)
    given = StrategyObject(f"{cls.__module__}:{name}", kept, source)
    values = _arguments(cls, name, parameters) if is_class else {}
    untouched = None if is_class else _copied(strategy, name)

    def make() -> Strategy:
        return _instance(cls, name, values) if is_class else _copied(untouched, name)

    taken = name in available_strategies()
    return _factory(f"{name}_custom" if taken else name, cls, make, given)


def _copied(strategy: Any, name: str) -> Any:  # noqa: ANN401
    try:
        return copy.deepcopy(strategy)
    except Exception as error:
        raise StrategyError(
            f"strategy {name} cannot be copied, {type(error).__name__}: {error}",
            "give its class instead of an instance, so that each simulation makes its own",
        ) from error


def _attributes(strategy: Any) -> dict[str, Any]:  # noqa: ANN401
    """Public attributes, as a configuration can hold them."""
    if is_dataclass(strategy):
        names = [f.name for f in fields(strategy)]
    else:
        names = list(getattr(strategy, "__dict__", {}))
    return {k: _plain(getattr(strategy, k)) for k in names if not k.startswith("_")}


def _plain(value: object) -> Any:  # noqa: ANN401 - a TOML value
    if isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    text = repr(value)
    if " at 0x" in text:  # an address, which differs in the next process
        return type(value).__name__
    digest = sha256(text.encode()).hexdigest()[:12]
    return text if len(text) <= 200 else f"{text[:200]}... {digest}"


@dataclass(frozen=True)
class StrategyNote:
    """A shipped strategy: what it does in one line, and the defaults of its parameters."""

    name: str
    meaning: str
    needs_forecast: bool
    parameters: dict[str, Any]


def list_strategies() -> list[StrategyNote]:
    """Every shipped strategy with its parameters."""
    return [
        StrategyNote(
            name=name,
            meaning=(inspect.getdoc(cls) or "").partition("\n")[0],
            needs_forecast=bool(getattr(cls, "needs_forecast", False)),
            parameters={p.name: p.default for p in inspect.signature(cls).parameters.values()},
        )
        for name, cls in ((name, _shipped_class(name)) for name in available_strategies())
    ]


def _name_of_file(file: str) -> str:
    path = Path(file).expanduser()
    shipped = bundled_path("strategies") / path.name
    if path.stem in available_strategies() and not path.samefile(shipped):
        return f"{path.stem}_custom"
    return path.stem


@cache
def _shipped_class(name: str) -> type:
    if name not in available_strategies():
        hint = did_you_mean(name, available_strategies())
        raise StrategyError(
            f"there is no strategy {name!r}",
            f"{hint}shipped are {', '.join(available_strategies())}; "
            "your own is given as FILE.py or module:Class",
        )
    file = str(bundled_path("strategies") / f"{name}.py")
    return _class_in(find_own_code(file, "strategy", StrategyError).load(), name, "")


def _class_in(module: ModuleType, reference: str, attribute: str) -> type:
    """The one strategy of a module, or the named one."""
    own = {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value) and callable(getattr(value, "target_weights", None))
        if value.__module__ == module.__name__ and not name.startswith("_")
    }
    if attribute:
        named = getattr(module, attribute, None)
        if inspect.isclass(named) and callable(getattr(named, "target_weights", None)):
            return named
        raise StrategyError(
            f"{reference}: there is no class {attribute!r} with a method "
            "target_weights(self, view)",
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


def _arguments(cls: type, reference: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments of a class, under their present names, of the types it declares."""
    parameters = inspect.signature(cls).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    given = _renamed(cls, reference, given)
    for key in given:
        if key not in parameters and not takes_any:
            known = ", ".join(parameters) or "none"
            raise StrategyError(
                f"strategy {reference} has no parameter {key!r}",
                did_you_mean(key, parameters).strip() or f"its parameters: {known}",
            )
    for name, parameter in parameters.items():
        variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if parameter.default is parameter.empty and name not in given and not variadic:
            raise StrategyError(
                f"strategy {reference} needs the parameter {name!r}",
                f"set strategy.parameters.{name}",
            )
    try:
        types = get_type_hints(cls.__init__)  # type: ignore[misc]
    except NameError:  # a type that is imported for the type checker only
        types = {}
    return {key: _typed(value, types.get(key), reference, key) for key, value in given.items()}


def _renamed(cls: type, reference: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters by their present names; ``renamed`` of the class maps old names to new ones."""
    renamed: Mapping[str, str] = getattr(cls, "renamed", {})
    values = dict(given)
    for old in [key for key in given if key in renamed]:
        new = renamed[old]
        if new in given:
            raise StrategyError(
                f"strategy {reference}: parameter {old!r} is called {new!r} now, and both are "
                "given",
                f"give {new} alone",
            )
        warnings.warn(
            f"strategy {reference}: parameter {old!r} is called {new!r} now",
            FingruWarning,
            stacklevel=2,
        )
        values[new] = values.pop(old)
    return values


def _instance(cls: type, reference: str, values: Mapping[str, Any]) -> Strategy:
    try:
        strategy: Strategy = cls(**values)
    except Exception as error:
        raise StrategyError(
            f"strategy {reference} cannot be built, {type(error).__name__}: {error}",
            "change strategy.parameters",
        ) from error
    return strategy


def _typed(value: object, annotation: Any, reference: str, key: str) -> object:  # noqa: ANN401
    """A parameter as the type its class declares, if it declares one."""
    if annotation is None:
        return value
    accepted = {annotation, *get_args(annotation)}
    if isinstance(value, bool) and accepted & {int, float} and bool not in accepted:
        raise StrategyError(
            f"strategy {reference}: parameter {key!r} is {str(value).lower()}", "give a number"
        )
    try:
        adapter = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
        return adapter.validate_python(value)
    except ValidationError as error:
        raise StrategyError(
            f"strategy {reference}: parameter {key!r} is {value!r}", error.errors()[0]["msg"]
        ) from None
