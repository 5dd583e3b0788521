"""Options that several commands share, and the configuration they make.

A ``Flag`` is an option that sets one setting. ``with_settings`` gives a command --config, --set
and its flags; ``with_store`` gives it --config and --runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from fingru.cli import complete
from fingru.cli.output import print_at_exit, print_message
from fingru.errors import ConfigError

if TYPE_CHECKING:
    from fingru.config import Config
    from fingru.market.prices import Prices
    from fingru.store.database import Database
    from fingru.store.settings import StoreSettings

_MOST_WARNINGS = 10

Completion = Callable[..., list[complete.Completion]]

SETTINGS, DATA, OUTPUT = "Settings", "Data", "Output"
"""Headings of ``--help``."""


def option(
    name: str,
    metavar: str | None,
    help: str,
    *aliases: str,
    panel: str | None = SETTINGS,
    completion: Completion | None = None,
) -> Any:  # noqa: ANN401 - as Typer's own function
    """``typer.Option`` with our defaults."""
    return typer.Option(
        name, *aliases,
        metavar=metavar, help=help, rich_help_panel=panel, autocompletion=completion,
    )  # fmt: skip


def argument(metavar: str, help: str, completion: Completion) -> Any:  # noqa: ANN401
    """``typer.Argument`` with completion."""
    return typer.Argument(metavar=metavar, help=help, autocompletion=completion)


def split(text: str | None) -> list[str] | None:
    """Split an option at its commas; None stays None."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise ConfigError(f"{text!r} has an empty part", "join with single commas: A,B")
    return parts


def _whole_numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in split(text) or ()]
    except ValueError:
        raise ConfigError(
            f"--horizons {text!r} is not a list of whole numbers", "write it like 1,5,21"
        ) from None


def _bars_or_period(text: str) -> int | str:
    return int(text) if text.isdigit() else text


@dataclass(frozen=True)
class Flag:
    """An option that sets one setting; its help ends with the default of the setting."""

    key: str  # dotted key of the setting
    metavar: str
    help: str
    name: str = ""  # of the option, with underscores; by default the last part of the key
    kind: type = str  # of its value
    read: Callable[[Any], object] = lambda value: value  # converts it to the setting's value
    panel: str = SETTINGS
    completion: Completion | None = None
    default: str = ""  # in the help, where the setting's default is unset

    @property
    def option_name(self) -> str:
        """Name of the command's parameter."""
        return self.name or self.key.rpartition(".")[2]

    @property
    def option(self) -> Any:  # noqa: ANN401 - as Typer's own function
        """The option for Typer."""
        name = f"--{self.option_name.replace('_', '-')}"
        return option(name, self.metavar, self.help, panel=self.panel, completion=self.completion)

    @property
    def parameter(self) -> Parameter:
        """Parameter of the command's signature."""
        kind: Any = self.kind
        annotation = Annotated[kind | None, self.option]
        return Parameter(
            self.option_name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation
        )


SOURCE = Flag(
    "data.source", "SOURCE",
    "sample:us_stocks, sample:indices, sample:simulated, yahoo:SPY,QQQ, or a CSV or Parquet file "
    "or folder.",
    name="data", panel=DATA, completion=complete.sources,
)  # fmt: skip
ASSETS = Flag("data.assets", "A,B", "Only these symbols.", read=split, panel=DATA)
START = Flag("data.start", "DATE", "First session, such as 2000-01-31.", panel=DATA)
END = Flag("data.end", "DATE", "Last session (inclusive).", panel=DATA)
SEED = Flag("seed", "N", "Random seed.", kind=int)
RUNS = Flag("store.runs", "DIR", "Folder of runs.", kind=Path, read=str, panel=OUTPUT)
MODELS = Flag("store.models", "DIR", "Folder of models.", kind=Path, read=str, panel=OUTPUT)
MODEL_KIND = Flag(
    "model.kind", "KIND",
    "Kind of model (`fingru models kinds`); none: the strategy trades from the first bar.",
    name="model", completion=complete.model_kinds,
)  # fmt: skip
STRATEGY = Flag(
    "strategy.name", "STRATEGY", "A shipped strategy, FILE.py or module:Class.",
    name="strategy", completion=complete.strategies,
)  # fmt: skip
MEMBERS = Flag("model.members", "N", "Ensemble size.", kind=int)
HORIZONS = Flag("horizons", "1,5", "Bars ahead, comma-joined.", read=_whole_numbers)
COST_BPS = Flag("simulation.cost_bps", "X", "Cost in basis points of traded value.", kind=float)
DEVICE = Flag("device", "auto|cpu|cuda", "Where the model trains.")
REFIT = Flag(
    "walk_forward.refit", "PERIOD", "Refit every year, quarter, month or N bars.",
    read=_bars_or_period,
)  # fmt: skip
FIRST_REFIT = Flag(
    "walk_forward.first_refit", "DATE", "First session forecast out of sample.",
    default="after 30 % of the sessions",
)  # fmt: skip

_ALWAYS = (SOURCE, ASSETS, START, END, SEED)

ConfigFile = Annotated[Path | None, option("--config", "FILE", "TOML file with settings.")]
Set = Annotated[
    list[str] | None,
    option(
        "--set", "KEY=VALUE",
        "Change one setting, such as model.hidden_size=32; may be repeated. "
        "`fingru config show` lists them.",
        completion=complete.assignments,
    ),
]  # fmt: skip
Assets = Annotated[str | None, ASSETS.option]
Start = Annotated[str | None, START.option]
End = Annotated[str | None, END.option]
Models = Annotated[Path | None, MODELS.option]
Json = Annotated[bool, option("--json", None, "Print one JSON document on stdout.", panel=OUTPUT)]
Quiet = Annotated[
    bool,
    option("--quiet", None, "Nothing on stderr besides warnings and errors.", "-q", panel=OUTPUT),
]
TrustCode = Annotated[
    bool,
    option(
        "--trust-code", None,
        "Run user code that the stored run or model names, even if it was never named in a "
        "command here or has changed since.",
    ),
]  # fmt: skip
RunId = Annotated[str, argument("ID", "A run's id, or a prefix of it.", complete.run_ids)]
RunIds = Annotated[list[str], argument("ID ...", "Ids, or prefixes of them.", complete.run_ids)]
ModelId = Annotated[str, argument("ID", "A model's id, or a prefix of it.", complete.model_ids)]


@dataclass(frozen=True)
class GivenSettings:
    """The settings on a command line."""

    file: Path | None = None  # of ``--config``
    overrides: Sequence[str] = ()  # of ``--set``
    flags: Mapping[str, Any] = field(default_factory=dict)  # values by dotted key

    def config(self) -> Config:
        """Build the configuration: the file, then ``--set``, then the flags."""
        from fingru.config import load_config

        return load_config(self.file, self.overrides, self.flags)


Command = Callable[..., None]


def with_settings(*flags: Flag) -> Callable[[Command], Command]:
    """Give a command the options that decide its configuration.

    Its parameter ``given``, a ``GivenSettings``, is filled from --config, --set, the flags that
    every job takes (data and seed), and ``flags``.
    """
    all_flags = (*_ALWAYS, *flags)

    def decorate(command: Command) -> Command:
        def given(options: dict[str, Any]) -> GivenSettings:
            values = {flag: options.pop(flag.option_name) for flag in all_flags}
            read = {f.key: f.read(value) for f, value in values.items() if value is not None}
            return GivenSettings(options.pop("config"), options.pop("set_") or (), read)

        return _with_options(command, "given", _FILE_AND_SET, all_flags, given)

    return decorate


def with_store(command: Command) -> Command:
    """Give a command --config and --runs; its parameter ``store`` says where runs are kept."""

    def store(options: dict[str, Any]) -> StoreSettings:
        file, runs = options.pop("config"), options.pop("runs")
        flags = {} if runs is None else {"store.runs": str(runs)}
        return GivenSettings(file, (), flags).config().store

    return _with_options(command, "store", _FILE_AND_SET[:1], (RUNS,), store)


_FILE_AND_SET = (
    Parameter("config", Parameter.KEYWORD_ONLY, default=None, annotation=ConfigFile),
    Parameter("set_", Parameter.KEYWORD_ONLY, default=None, annotation=Set),
)


def _with_options(
    command: Command,
    replaced: str,
    options: Sequence[Parameter],
    flags: Sequence[Flag],
    build: Callable[[dict[str, Any]], object],
) -> Command:
    """Replace one parameter by options and flags, and build its value from theirs."""
    shown: list[Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name == replaced:
            shown += [*options, *(flag.parameter for flag in flags)]
        else:
            annotation = eval(parameter.annotation, command.__globals__)  # as Typer does itself
            shown.append(parameter.replace(annotation=annotation, kind=Parameter.KEYWORD_ONLY))

    def run(**values: Any) -> None:  # noqa: ANN401 - of any options
        value = build(values)  # takes its options out of the values
        command(**{replaced: value}, **values)

    run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, __name__
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    run.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    run.flags = flags  # type: ignore[attr-defined]
    return run


class SettingsCommand(TyperCommand):
    """A command whose help shows the defaults of the settings of its flags."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - Typer's own click
        """Read the defaults only here: loading the configuration takes a moment."""
        flags = {flag.option_name: flag for flag in getattr(self.callback, "flags", ())}
        parameters: list[Any] = self.params
        for parameter in parameters:
            if parameter.name in flags:
                flag = flags[parameter.name]
                default = flag.default or _default(flag.key)
                parameter.help = f"{flag.help} [{default}]" if default else flag.help
        super().format_help(ctx, formatter)


def _default(key: str) -> str:
    from fingru.config.catalogue import all_settings

    value = all_settings()[key].default
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def existing_database(store: StoreSettings) -> Database | None:
    """Open the database of the runs, without making one where there is none."""
    from fingru.store import database

    return database.existing_database(store.runs, store.url)


def prices_of(config: Config, quiet: bool = False, *, warn: bool = True) -> Prices:
    """Load the prices of a configuration, and print notes and warnings about them.

    Warnings are printed below the command's result; ``warn`` is False if the result lists them.
    """
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
            print_message(f"note: {finding.problem}")
    doubts = [f.problem for f in prices.warnings if f.severity is Severity.WARNING]
    for text in doubts[:_MOST_WARNINGS] if warn else ():
        print_at_exit(f"! {text}")
    if warn and len(doubts) > _MOST_WARNINGS:
        print_at_exit(f"! {len(doubts) - _MOST_WARNINGS} more with `fingru data check`")
    return prices
