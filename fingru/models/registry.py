"""Every kind of model there is, by name: how it is made, loaded, and what it needs.

A kind is registered once, here through ``fingru.models.gru.kinds`` and
``fingru.models.classical.kinds``, or by another package through the entry point group
``fingru.models``; the command line, the report and the configuration all read this registry.
Importing it loads no model.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fingru.errors import ConfigError, ModelError
from fingru.models.folder import FIRST_KIND, MANIFEST_FILE, check_folder

if TYPE_CHECKING:
    from fingru.market.prices import Prices
    from fingru.models.classical.series import Method
    from fingru.models.gru.settings import ModelSettings, TrainingSettings
    from fingru.models.protocol import Fitted, Forecaster
    from fingru.models.settings import BaselineSettings, RecalibrationSettings

GROUP = "fingru.models"
"""Entry point group of other packages' kinds; each entry point is a ``Kind``."""

MIXED = "+"
"""Joins kinds whose mixture is a model: ``ewma+gjr_garch_t``."""

_REGISTERED: dict[str, Kind] = {}
_ROOMS = ("fingru.models.gru.kinds", "fingru.models.classical.kinds")


class ModelOptions(Protocol):
    """What a model is made with; a ``Config`` is one."""

    @property
    def model(self) -> ModelSettings: ...  # noqa: D102
    @property
    def training(self) -> TrainingSettings: ...  # noqa: D102
    @property
    def baselines(self) -> BaselineSettings: ...  # noqa: D102
    @property
    def recalibration(self) -> RecalibrationSettings: ...  # noqa: D102
    @property
    def seed(self) -> int: ...  # noqa: D102
    @property
    def device(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class Kind:
    """One kind of model.

    Parameters
    ----------
    name
        Identifier in settings, ``forecasts.parquet`` and manifests.
    label
        What a person calls it.
    meaning
        One sentence.
    make
        ``(name, options) -> Forecaster``, or where it is: ``module:function``.
    load
        ``(folder, manifest, device=...) -> Fitted``, or where it is.
    needs
        What it needs of the data, for a person.
    needs_features
        Whether features are built for it.
    from_tensors
        Whether a tensor program forecasts, whose rounding may depend on the length of the history.
    recalibrated
        Whether the width of its forecasts follows their misses (``recalibration.enabled``).
    check
        ``(prices, options)``, or where it is: refuses what cannot work before anything is built.
    method
        Of a classical model: its ``classical.series.Method``, or where it is.
    """

    name: str
    label: str
    meaning: str
    make: Callable[[str, ModelOptions], Forecaster] | str
    load: Callable[..., Fitted] | str
    needs: str = "closes"
    needs_features: bool = False
    from_tensors: bool = False
    recalibrated: bool = False
    check: Callable[[Prices, ModelOptions], None] | str | None = None
    method: Method | str | None = None


def register(kind: Kind) -> Kind:
    """Add a kind for as long as this process runs, as a notebook does; and give it back.

    Raises
    ------
    ConfigError
        If a shipped kind has its name, or the name could not be one.
    """
    if kind.name in _shipped() or not kind.name.isidentifier() or kind.name == "none":
        raise ConfigError(f"a model cannot be called {kind.name!r}", "choose another name")
    _REGISTERED[kind.name] = kind
    return kind


def kinds() -> dict[str, Kind]:
    """Every registered kind by name: the shipped ones first, then those of other packages."""
    return {**_shipped(), **_of_other_packages(), **_REGISTERED, **_shipped()}


def find_kind(name: str) -> Kind:
    """Kind of a name; of a mixture such as ``ewma+garch`` one that is made of its members.

    Raises
    ------
    ConfigError
        If it is not registered.
    """
    if name in (near_at_hand := _shipped() | _REGISTERED):  # without a look at other packages
        return near_at_hand[name]
    if MIXED in name:
        return _mixture(name)
    known = kinds()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"there is no model {name!r}", f"{hint}choose from {', '.join(known)}")
    return known[name]


def label_of(name: str) -> str | None:
    """What a person calls a registered model; None of others."""
    try:
        return find_kind(name).label
    except (ConfigError, ModelError):
        return None


def make_forecaster(name: str, options: ModelOptions) -> Forecaster:
    """Model of a kind, recalibrated if its kind is and the options enable it.

    Raises
    ------
    ConfigError
        If the kind is not registered.
    """
    kind = find_kind(name)
    made: Forecaster = resolved(kind.make)(name, options)
    if kind.recalibrated and options.recalibration.enabled:
        from fingru.models.recalibrated import Recalibrated

        return Recalibrated(made, options.recalibration)
    return made


def check_data(name: str, prices: Prices, options: ModelOptions) -> None:
    """Refuse prices on which a model of this kind cannot work with these options.

    Raises
    ------
    FingruError
        Says what is wrong, and what to do.
    """
    check = find_kind(name).check
    if check is not None:
        resolved(check)(prices, options)


def load_fitted(folder: Path, device: str = "auto") -> Fitted:
    """Read a stored model, of the kind that its manifest names; nothing is unpickled.

    Raises
    ------
    ModelError
        If a file is missing, damaged or of another format, or its kind is not registered.
    """
    manifest = check_folder(folder)
    name = manifest.get("kind", FIRST_KIND)
    try:
        kind = find_kind(str(name))
    except ConfigError as error:
        raise ModelError(
            f"{folder} holds a model of kind {name!r}, which is not registered here",
            "install the package that brings it",
        ) from error
    try:
        for key, wanted in (("fold", int), ("origin", str), ("horizons", list)):
            if not isinstance(manifest[key], wanted):
                raise TypeError(f"{key} is {manifest[key]!r}")
        datetime.fromisoformat(manifest["origin"])
        fitted: Fitted = resolved(kind.load)(folder, manifest, device=device)
        if "recalibration" in manifest:
            from fingru.models.recalibrated import RecalibratedFitted
            from fingru.models.settings import RecalibrationSettings

            settings = RecalibrationSettings(**manifest["recalibration"])
            return RecalibratedFitted(fitted, settings)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise ModelError(
            f"{folder / MANIFEST_FILE} is damaged ({type(error).__name__}: {error})",
            "restore it from a copy, or fit the model again",
        ) from error
    return fitted


@cache
def _shipped() -> dict[str, Kind]:
    return {kind.name: kind for room in _ROOMS for kind in import_module(room).KINDS}


def _mixture(name: str) -> Kind:
    members = [find_kind(member) for member in name.split(MIXED)]
    if len({member.name for member in members}) < len(members):
        raise ConfigError(f"mixture {name!r} names a model twice", "name each of them once")
    return Kind(
        name,
        " + ".join(member.label for member in members),
        f"equal mixture of {', '.join(member.name for member in members)}",
        make="fingru.models.ensemble:make",
        load="fingru.models.ensemble:load",
        needs_features=any(member.needs_features for member in members),
        from_tensors=any(member.from_tensors for member in members),
    )


@cache
def _of_other_packages() -> dict[str, Kind]:
    return {entry.name: _of_entry_point(entry) for entry in entry_points(group=GROUP)}


def _of_entry_point(entry: EntryPoint) -> Kind:
    try:
        kind = entry.load()
    except Exception as error:
        raise ConfigError(
            f"model {entry.name!r} of {entry.value} cannot be loaded, "
            f"{type(error).__name__}: {error}",
            "update or uninstall the package that brings it",
        ) from error
    if not isinstance(kind, Kind) or kind.name != entry.name:
        raise ConfigError(
            f"entry point {entry.name!r} of {GROUP} is no {__name__}.Kind of that name",
            f"correct {entry.value}",
        )
    return kind


def resolved(where: Any) -> Any:  # noqa: ANN401 - whatever stands there
    """What stands at ``module:name``; anything but a text is that itself."""
    if not isinstance(where, str):
        return where
    module, _, name = where.partition(":")
    return getattr(import_module(module), name)
