"""A configuration file to start from: every setting at its default, explained."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from fingru.config.catalogue import Setting, sections, settings_of

_WIDTH = 98


def commented_toml() -> str:
    """Every setting as TOML with its meaning and limits; reads back as the defaults."""
    lines = [
        "# Settings of fingru, all at their defaults: `fingru backtest --config THIS_FILE`.",
        "# What is taken out has its default; `fingru config explain KEY` says more.",
        "",
    ]
    for setting in settings_of(""):  # those of no section come first in TOML
        lines += _lines(setting)
    for section, meaning in sections().items():
        lines += [*_comment(meaning), f"[{section}]", ""]
        for setting in settings_of(section):
            lines += _lines(setting)
    return "\n".join(lines).rstrip() + "\n"


def toml_value(value: object) -> str:
    """A plain value in TOML."""
    import tomlkit

    if isinstance(value, dict):
        table = tomlkit.inline_table()
        table.update(value)
        return table.as_string()
    return tomlkit.item(value).as_string()


def _lines(setting: Setting) -> Iterator[str]:
    name = setting.key.rpartition(".")[2]
    meaning = setting.help if setting.help.endswith(".") else f"{setting.help}."
    yield from _comment(f"{meaning[0].upper()}{meaning[1:]} Allowed: {setting.allowed}.")
    if setting.default is None:
        yield f"# {name} ="
    elif isinstance(setting.default, list) and len(setting.default) > 5:
        yield f"{name} = ["
        yield from (f"    {toml_value(item)}," for item in setting.default)
        yield "]"
    else:
        yield f"{name} = {toml_value(setting.default)}"
    yield ""


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")
