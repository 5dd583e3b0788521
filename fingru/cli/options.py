"""Options that several commands share, and how they become a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fingru.errors import ConfigError

if TYPE_CHECKING:
    from fingru.config import Config
    from fingru.market.prices import Prices

ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="TOML file with settings.")
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Change one setting, such as model.hidden=32."
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="SOURCE",
        help="sample:us_stocks, sample:indices, sample:simulated, yahoo:SPY,QQQ, "
        "or a CSV or Parquet file or folder.",
    ),
]
Assets = Annotated[str | None, typer.Option("--assets", metavar="A,B", help="Only these symbols.")]
Start = Annotated[str | None, typer.Option("--start", metavar="DATE", help="First session.")]
End = Annotated[str | None, typer.Option("--end", metavar="DATE", help="Last session.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Decides every random number.")]
Runs = Annotated[
    Path | None, typer.Option("--runs", metavar="DIR", help="Folder of runs. [data/runs]")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
Strategy = Annotated[str | None, typer.Option("--strategy", metavar="NAME|FILE.py|module:Class")]
Members = Annotated[int | None, typer.Option("--members", metavar="N", help="Ensemble members.")]
Horizons = Annotated[
    str | None, typer.Option("--horizons", metavar="1,5", help="Bars ahead, comma-joined.")
]
CostBps = Annotated[
    float | None, typer.Option("--cost-bps", metavar="X", help="Cost per traded value.")
]
Device = Annotated[str | None, typer.Option("--device", metavar="auto|cpu|cuda")]


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


def configuration(
    file: Path | None, overrides: list[str] | None, flags: Mapping[str, Any]
) -> Config:
    """Build the configuration from file, ``--set`` and the flags that are not None."""
    from fingru.config import load_config

    given = {key: value for key, value in flags.items() if value is not None}
    return load_config(file, overrides or (), given)


def prices_of(config: Config) -> Prices:
    """Load the prices a configuration asks for and tell the user what was mended in them."""
    from fingru.cli.output import say
    from fingru.market import load_prices

    data = config.data
    prices = load_prices(
        data.source,
        assets=data.assets,
        start=data.start,
        end=data.end,
        bars_per_year=data.bars_per_year,
        cache_dir=data.cache,
    )
    for note in prices.notes:
        say(f"note: {note}")
    return prices
