"""Shell completion: ids, keys, names; quick and without errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import typer

Completion = tuple[str, str]  # text, and a word about it


def _quietly(
    offer: Callable[[typer.Context, str], Iterable[Completion]],
) -> Callable[[typer.Context, str], list[Completion]]:
    """Keep completions that begin with the text so far; none if an error occurs."""

    # Without functools.wraps: Typer looks at the names of the parameters.
    def matching(ctx: typer.Context, incomplete: str) -> list[Completion]:
        try:
            return [item for item in offer(ctx, incomplete) if item[0].startswith(incomplete)]
        except Exception:  # noqa: BLE001 - a message would end up in the command line being typed
            return []

    matching.__doc__ = offer.__doc__
    return matching


def _newest_first(folder: str, pattern: str) -> list[Completion]:
    names = (path.parent.name for path in Path(folder).glob(pattern))
    return [(name, "") for name in sorted(names, reverse=True)]


@_quietly
def run_ids(ctx: typer.Context, _incomplete: str) -> Iterable[Completion]:
    """Runs in ``--runs``."""
    return _newest_first(ctx.params.get("runs") or "data/runs", "*/manifest.json")


@_quietly
def model_ids(ctx: typer.Context, _incomplete: str) -> Iterable[Completion]:
    """Models in ``--models``."""
    return _newest_first(ctx.params.get("models") or "data/models", "*/job.json")


@_quietly
def assignments(_ctx: typer.Context, incomplete: str) -> Iterable[Completion]:
    """Settings as ``key=``; after the equals sign the values of a key."""
    from fingru.config.catalogue import all_settings

    key, separator, _ = incomplete.partition("=")
    if not separator:
        return [(f"{name}=", setting.help) for name, setting in all_settings().items()]
    schema = all_settings()[key].schema
    parts = [schema, *schema.get("anyOf", [])]
    words = [str(word) for part in parts for word in part.get("enum", [])]
    words += ["true", "false"] if schema.get("type") == "boolean" else []
    return [(f"{key}={word}", "") for word in words]


@_quietly
def keys_and_sections(_ctx: typer.Context, _incomplete: str) -> Iterable[Completion]:
    """Settings and sections."""
    from fingru.config.catalogue import all_settings, sections

    return [*sections().items(), *((key, s.help) for key, s in all_settings().items())]


@_quietly
def sources(_ctx: typer.Context, _incomplete: str) -> Iterable[Completion]:
    """Bundled samples; where none fits, the shell offers files."""
    return [
        ("sample:us_stocks", "20 US large caps, daily closes 1990 to 2022"),
        ("sample:indices", "S&P 500 and Nasdaq, daily, 1999 to 2018"),
        ("sample:simulated", "a simulated market with known mean and variance"),
    ]


@_quietly
def strategies(_ctx: typer.Context, _incomplete: str) -> Iterable[Completion]:
    """Shipped strategies; where none fits, the shell offers files."""
    from fingru.bundled import bundled_path

    names = sorted(path.stem for path in bundled_path("strategies").glob("[!_]*.py"))
    return [(name, "") for name in names]


@_quietly
def model_kinds(_ctx: typer.Context, _incomplete: str) -> Iterable[Completion]:
    """What ``model.kind`` takes."""
    from fingru.config.catalogue import all_settings

    return [(kind, "") for kind in all_settings()["model.kind"].schema["enum"]]
