"""JSON that every reader accepts, without NaN and Infinity, from numpy, pandas and settings."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from enum import Enum
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from pydantic import BaseModel

from fingru.errors import StoreError, masked
from fingru.store.files import read_bytes, write_bytes_atomic

JsonValue = dict[str, Any] | list[Any] | str | int | float | bool | None


def to_json_value(value: object) -> JsonValue:
    """Convert a value to what JSON can hold; numbers that are not finite become null.

    Dates and timestamps become ISO 8601 text, durations seconds, paths text with forward slashes,
    arrays and series lists, frames lists of rows, sets sorted lists, settings and dataclasses
    objects. Keys become text. Passwords in URLs are hidden (``masked``).

    Raises ``TypeError`` for anything else: guessing would hide a mistake; ``ValueError`` if two
    keys of a mapping become the same text.

    Examples
    --------
    >>> to_json_value({1: float("nan"), "when": date(2020, 1, 2), "x": np.float32(0.5)})
    {'1': None, 'when': '2020-01-02', 'x': 0.5}
    """
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str | int | float):  # also numpy's derived kinds
        return _number_or_text(value)
    if isinstance(value, Mapping):
        return _object(value)
    if isinstance(value, list | tuple):
        return [to_json_value(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((to_json_value(item) for item in value), key=repr)
    return to_json_value(_simpler(value))


def _number_or_text(value: str | float) -> str | int | float | None:
    if isinstance(value, str):
        return masked(str(value))
    if isinstance(value, int):
        return int(value)
    return float(value) if math.isfinite(value) else None


def _object(mapping: Mapping[Any, object]) -> dict[str, Any]:
    converted = {_key(key): to_json_value(item) for key, item in mapping.items()}
    if len(converted) != len(mapping):
        raise ValueError(f"two of the keys {list(mapping)} are the same text")
    return converted


def _key(key: object) -> str:
    text = to_json_value(key)
    if isinstance(text, dict | list):
        raise TypeError(f"{key!r} cannot be a key of a JSON object")
    return text if isinstance(text, str) else json.dumps(text)


def _from_numpy(value: np.ndarray[Any, Any] | np.generic) -> object:
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "M":
        return list(value)
    if value.dtype.kind not in "biufU":
        raise TypeError(f"an array of {value.dtype} has no place in JSON")
    return value.tolist()


_CONVERSIONS: tuple[tuple[tuple[type, ...], Callable[[Any], object]], ...] = (
    ((PurePath,), PurePath.as_posix),
    ((BaseModel,), BaseModel.model_dump),
    ((np.ndarray, np.generic), _from_numpy),
    # datetime and Timestamp are dates, and so is NaT, which alone differs from itself
    ((date, time), lambda moment: moment.isoformat() if moment == moment else None),
    ((timedelta,), timedelta.total_seconds),
)


def _simpler(value: object) -> object:
    """Convert one level of an object towards what JSON can hold."""
    for kinds, convert in _CONVERSIONS:
        if isinstance(value, kinds):
            return convert(value)
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    import pandas as pd

    if value is pd.NA:
        return None
    if isinstance(value, pd.Series | pd.Index):
        return value.tolist()
    if isinstance(value, pd.DataFrame):
        return value.to_dict(orient="records")
    raise TypeError(f"{type(value).__name__} {value!r} has no place in JSON")


def to_json_bytes(value: object) -> bytes:
    """UTF-8 text of a value, indented, in the order of its keys, with a final newline."""
    text = json.dumps(to_json_value(value), allow_nan=False, ensure_ascii=False, indent=2)
    # A lone surrogate (file names that are not UTF-8) becomes its JSON escape.
    return (text + "\n").encode("utf-8", "backslashreplace")


def json_sha256(value: object) -> str:
    """SHA-256 of a value's JSON with sorted keys: equal for equal content in any order.

    Examples
    --------
    >>> json_sha256({"a": 1, "b": 2}) == json_sha256({"b": 2, "a": 1})
    True
    """
    return plain_sha256(to_json_value(value))


def plain_sha256(value: JsonValue) -> str:
    """SHA-256 of a value as a JSON file holds it, without conversion."""
    text = json.dumps(value, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def write_json(path: Path, value: object) -> None:
    """Write a value as strict JSON, atomically; ``StoreError`` if the file cannot be written."""
    write_bytes_atomic(path, to_json_bytes(value))


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds one object.

    Raises ``StoreError`` if it is missing, is not strict JSON, or does not hold an object.
    """
    try:
        value = json.loads(read_bytes(path), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # ValueError: no JSON, or no UTF-8
        raise StoreError(
            f"{path} is not valid JSON ({error})", "restore it, or delete the run it belongs to"
        ) from error
    if not isinstance(value, dict):
        raise StoreError(f"{path} holds no JSON object", "restore it, or delete its run")
    return value


Shape = Mapping[str, type | tuple[type, ...]]
"""Type of value by key; a key that may be missing or null ends with a question mark."""


def check_shape(value: Mapping[str, Any], shape: Shape, where: str, fix: str) -> None:
    """Raise a ``StoreError`` for the first key that is missing or has a value of another type."""
    for key, kind in shape.items():
        name = key.removesuffix("?")
        item = value.get(name)
        if item is None and key.endswith("?"):
            continue
        if not isinstance(item, kind) or (isinstance(item, bool) and kind is not bool):
            problem = f"has no {name!r}" if item is None else f"has a wrong {name!r}"
            raise StoreError(f"{where} is damaged: it {problem}", fix)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
