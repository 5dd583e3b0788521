"""``fingru config``: every setting, its value and allowed values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fingru.cli import complete
from fingru.cli import options as opt
from fingru.cli.output import plain_table, print_json, print_message, print_tables
from fingru.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from fingru.config import Config
    from fingru.config.catalogue import Setting

app = typer.Typer(name="config", help="Show, explain and write settings.", no_args_is_help=True)


@app.command()
def show(
    file: opt.ConfigFile = None,
    set_: opt.Set = None,
    toml: Annotated[
        bool, typer.Option("--toml", help="Print TOML that --config reads back.")
    ] = False,
    json: opt.Json = False,
) -> None:
    """All settings: value, default, limits and meaning."""
    from fingru.config import to_toml
    from fingru.config.catalogue import all_settings, sections

    if toml and json:
        raise ConfigError("--toml and --json exclude each other", "give one of them")
    config = opt.GivenSettings(file, set_ or ()).config()
    if toml:
        typer.echo(to_toml(config), nl=False)
    elif json:
        documents = [_document(setting, config) for setting in all_settings().values()]
        print_json({"settings": documents, "sections": sections()})
    else:
        print_tables(*(_table(section, config) for section in ("", *sections())))


@app.command()
def init(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="TOML file to write; must not exist.")
    ] = Path("fingru.toml"),
) -> None:
    """Write a file with every setting at its default, each explained, for --config."""
    from fingru.config.template import commented_toml

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as stream:
            stream.write(commented_toml())
    except FileExistsError:
        raise ConfigError(
            f"{file} exists already", "name another file; nothing is overwritten"
        ) from None
    print_message(f"wrote {file}: change what you like, then fingru backtest --config {file}")


@app.command()
def explain(
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY",
            help="A setting such as model.hidden_size, or a section such as model.",
            autocompletion=complete.keys_and_sections,
        ),
    ],
    file: opt.ConfigFile = None,
    json: opt.Json = False,
) -> None:
    """What a setting, or every setting of a section, means and may be."""
    from fingru.config.catalogue import all_settings, sections, settings_of
    from fingru.config.refusals import suggestion
    from fingru.settings import current_key

    config = opt.GivenSettings(file).config()
    key = current_key(key)
    if key in all_settings():
        document = _document(all_settings()[key], config)
        print_json(document) if json else _print_setting(document)
    elif key in sections():
        if json:
            documents = [_document(setting, config) for setting in settings_of(key)]
            print_json({"section": key, "help": sections()[key], "settings": documents})
        else:
            print_tables(_table(key, config))
    else:
        raise ConfigError(f"there is no setting {key!r}", suggestion(key))


def _document(setting: Setting, config: Config) -> dict[str, Any]:
    from fingru.config.catalogue import value_of

    return {
        "key": setting.key,
        "value": value_of(config, setting.key),
        "default": setting.default,
        "allowed": setting.allowed,
        "help": setting.help,
        "schema": setting.schema,
    }


def _print_setting(document: dict[str, Any]) -> None:
    key, default = document["key"], document["default"]
    typer.echo(f"{key}: {document['help']}")
    typer.echo(f"  allowed  {document['allowed']}")
    typer.echo(f"  default  {_written(default)}")
    if document["value"] != default:
        typer.echo(f"  here     {_written(document['value'])}")
    typer.echo(f"  set it   --set {key}=VALUE, or in a file for --config")


def _table(section: str, config: Config) -> Table:
    """Settings of one section; an asterisk marks what is not at its default."""
    from fingru.config.catalogue import sections, settings_of, value_of

    title = f"{section}: {sections()[section]}" if section else "Settings of no section"
    rows = []
    for setting in settings_of(section):
        value = value_of(config, setting.key)
        changed = "*" if value != setting.default else ""
        name = setting.key.removeprefix(f"{section}.")
        default = _written(setting.default)
        rows.append((name, _written(value) + changed, default, setting.allowed, setting.help))
    return plain_table(title, ("setting", "value", "default", "allowed", "meaning"), rows=rows)


def _written(value: object) -> str:
    """A value as TOML writes it."""
    if value is None:
        return "unset"
    from fingru.config.template import toml_value

    return toml_value(value)
