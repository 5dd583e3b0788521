"""Messages about wrong settings: the key, the value, and what is allowed instead."""

from __future__ import annotations

import difflib

from pydantic_core import ErrorDetails

from fingru.config.catalogue import all_settings, sections, settings_of
from fingru.settings import RENAMED


def explain(errors: list[ErrorDetails]) -> tuple[str, str]:
    """Turn the first of pydantic's errors into (problem, fix)."""
    error = errors[0]
    path = _key_of(error)
    if error["type"] == "extra_forbidden":
        return f"unknown configuration key {path!r}", suggestion(path)
    if error["type"] == "value_error":
        message = error["msg"].removeprefix("Value error, ")
        problem, _, fix = message.partition(": ")
        return f"configuration {path}: {problem}" if path else problem, fix
    value = error["input"]
    shown = str(value).lower() if isinstance(value, bool) else repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return f"configuration key {path!r} is {shown}", _fix(path)


def _fix(path: str) -> str:
    if path in all_settings():
        return f"give {all_settings()[path].allowed}"
    if path in sections():
        return f"it is a section; set its keys, such as {settings_of(path)[0].key}"
    key = max((key for key in all_settings() if path.startswith(f"{key}.")), key=len)
    return f"{key} is {all_settings()[key].allowed}"


def _key_of(error: ErrorDetails) -> str:
    """Dotted key of an error, without the types that pydantic tried below it."""
    path = ""
    for part in error["loc"]:
        if path in all_settings() and isinstance(part, str):
            break
        path = f"{path}.{part}" if path else str(part)
    return path


def suggestion(path: str) -> str:
    """Suggest the same name elsewhere, a similar one beside it, or a similar path."""
    known = [*all_settings(), *sections()]
    section, _, name = path.rpartition(".")
    siblings = {key.rpartition(".")[2]: key for key in known if key.rpartition(".")[0] == section}
    renamed = [f"{s}.{names[name]}" for s, names in RENAMED.items() if name in names]
    candidates = [key for key in known if key.rpartition(".")[2] == name] + renamed
    candidates += [siblings[near] for near in difflib.get_close_matches(name, siblings)]
    candidates += difflib.get_close_matches(path, list(all_settings()), cutoff=0.8)
    if candidates:
        return f"did you mean {candidates[0]!r}?"
    return "known keys here: " + ", ".join(sorted(siblings.values()))
