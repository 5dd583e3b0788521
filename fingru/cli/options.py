"""Options that several commands share, and how they become a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fingru.cli import complete
from fingru.errors import ConfigError

if TYPE_CHECKING:
    from fingru.config import Config
    from fingru.market.prices import Prices
    from fingru.store.database import Database
    from fingru.store.settings import StoreSettings

_MOST_WARNINGS = 10

SETTINGS, DATA, OUTPUT = "Settings", "Data", "Output"
"""Headings of ``--help``."""

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="TOML file with settings.", rich_help_panel=SETTINGS
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one setting, such as model.hidden=32; may be repeated. "
        "`fingru config show` lists them.",
        autocompletion=complete.assignments,
        rich_help_panel=SETTINGS,
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="SOURCE",
        help="sample:us_stocks, sample:indices, sample:simulated, yahoo:SPY,QQQ, "
        "or a CSV or Parquet file or folder. [sample:us_stocks]",
        autocompletion=complete.sources,
        rich_help_panel=DATA,
    ),
]
Assets = Annotated[
    str | None,
    typer.Option("--assets", metavar="A,B", help="Only these symbols.", rich_help_panel=DATA),
]
Timezone = Annotated[
    str | None,
    typer.Option(
        "--timezone",
        metavar="ZONE",
        help="Zone of the exchange, such as Australia/Sydney; data.timezone of other commands.",
        rich_help_panel=DATA,
    ),
]
Start = Annotated[
    str | None,
    typer.Option(
        "--start",
        metavar="DATE",
        help="First session, such as 2000-01-31.",
        rich_help_panel=DATA,
    ),
]
End = Annotated[
    str | None,
    typer.Option(
        "--end", metavar="DATE", help="Last session, itself included.", rich_help_panel=DATA
    ),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", metavar="N", help="Random seed. [0]", rich_help_panel=SETTINGS),
]
Runs = Annotated[
    Path | None,
    typer.Option(
        "--runs", metavar="DIR", help="Folder of runs. [data/runs]", rich_help_panel=OUTPUT
    ),
]
Models = Annotated[
    Path | None,
    typer.Option(
        "--models", metavar="DIR", help="Folder of models. [data/models]", rich_help_panel=OUTPUT
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout.", rich_help_panel=OUTPUT)
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Nothing on stderr besides warnings and errors.",
        rich_help_panel=OUTPUT,
    ),
]
ModelKind = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="KIND",
        help="gru, or none: no forecasts, and the strategy trades from the first bar. [gru]",
        autocompletion=complete.model_kinds,
        rich_help_panel=SETTINGS,
    ),
]
Strategy = Annotated[
    str | None,
    typer.Option(
        "--strategy",
        metavar="STRATEGY",
        help="A shipped strategy, FILE.py or module:Class. [risk_aware]",
        autocompletion=complete.strategies,
        rich_help_panel=SETTINGS,
    ),
]
Members = Annotated[
    int | None,
    typer.Option(
        "--members", metavar="N", help="Models in the ensemble. [3]", rich_help_panel=SETTINGS
    ),
]
Horizons = Annotated[
    str | None,
    typer.Option(
        "--horizons", metavar="1,5", help="Bars ahead, comma-joined. [1]", rich_help_panel=SETTINGS
    ),
]
CostBps = Annotated[
    float | None,
    typer.Option(
        "--cost-bps",
        metavar="X",
        help="Cost in basis points of traded value. [5]",
        rich_help_panel=SETTINGS,
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda",
        help="Where the model trains. [auto]",
        rich_help_panel=SETTINGS,
    ),
]
TrustCode = Annotated[
    bool,
    typer.Option(
        "--trust-code",
        help="Run own code that is stored there by name, even if it was never named in a command "
        "here or has changed since.",
        rich_help_panel=SETTINGS,
    ),
]
RunId = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="A run's id, or a beginning of it.", autocompletion=complete.run_ids
    ),
]
ModelId = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="A model's id, or a beginning of it.", autocompletion=complete.model_ids
    ),
]


def split(text: str | None) -> list[str] | None:
    """Split a comma-joined option; None stays None."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise ConfigError(f"{text!r} has an empty part", "join with single commas: A,B")
    return parts


def whole_numbers(text: str | None, option: str) -> list[int] | None:
    """Split a comma-joined option of whole numbers."""
    parts = split(text)
    try:
        return None if parts is None else [int(part) for part in parts]
    except ValueError:
        raise ConfigError(
            f"{option} {text!r} is not a list of whole numbers", "write it like 1,5,21"
        ) from None


def data_flags(
    source: str | None, assets: str | None, start: str | None, end: str | None
) -> dict[str, Any]:
    """Which prices were asked for, by dotted key."""
    return {
        "data.source": source,
        "data.assets": split(assets),
        "data.start": start,
        "data.end": end,
    }


def configuration(
    file: Path | None, overrides: list[str] | None, flags: Mapping[str, Any]
) -> Config:
    """Build the configuration from file, ``--set`` and the flags that are not None."""
    from fingru.config import load_config

    given = {key: value for key, value in flags.items() if value is not None}
    return load_config(file, overrides or (), given)


def store_of(file: Path | None, runs: Path | None) -> StoreSettings:
    """Where runs and models are kept: by the configuration file, with ``--runs`` over it."""
    flags = {} if runs is None else {"store.runs": str(runs)}
    return configuration(file, None, flags).store


def existing_database(store: StoreSettings) -> Database | None:
    """Open the database of the runs, without making one where there is none."""
    from fingru.store import database

    return database.existing_database(store.runs, store.url)


def prices_of(config: Config, quiet: bool = False, *, warn: bool = True) -> Prices:
    """Load the prices a configuration asks for and say what is worth knowing about them.

    What is doubtful is said when the command ends, below its result, where it is read; ``warn``
    is False for a command whose result says it already.
    """
    from fingru.cli.output import say, say_at_end
    from fingru.market import Severity, load_prices

    data = config.data
    prices = load_prices(
        data.source,
        assets=data.assets,
        start=data.start,
        end=data.end,
        bars_per_year=data.bars_per_year,
        timezone=data.timezone,
        cache_dir=data.cache,
        allow=data.allow,
    )
    for finding in () if quiet else prices.warnings:
        if finding.severity is Severity.NOTE:
            say(f"note: {finding.problem}")
    doubts = [f.problem for f in prices.warnings if f.severity is Severity.WARNING]
    for text in doubts[:_MOST_WARNINGS] if warn else ():
        say_at_end(f"! {text}")
    if warn and len(doubts) > _MOST_WARNINGS:
        say_at_end(f"! {len(doubts) - _MOST_WARNINGS} more with `fingru data check`")
    return prices
