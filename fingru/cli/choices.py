"""``fingru features`` and ``fingru strategies``: lists of what can be chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fingru.cli import complete
from fingru.cli import options as opt
from fingru.cli.output import plain_table, print_json, print_tables

if TYPE_CHECKING:
    from rich.table import Table

    from fingru.features.registry import FeatureNote


def features(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[SOURCE]",
            help="Show which can be computed from these prices; as --data elsewhere.",
            autocompletion=complete.sources,
        ),
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Also market:<column> and the columns of the ta package.")
    ] = False,
    json: opt.Json = False,
) -> None:
    """Feature columns: meaning, inputs, and warm-up.

    `features.columns` takes these names, and functions of your own as FILE.py:FUNCTION.
    """
    from fingru.features.registry import list_features
    from fingru.market import load_prices

    notes = list_features(None if source is None else load_prices(source))
    if json:
        print_json({"source": source, "features": [vars(note) for note in notes]})
        return
    shown = [note for note in notes if all_ or ":" not in note.name]
    print_tables(_feature_table(shown, source))
    if len(shown) < len(notes):
        hidden = len(notes) - len(shown)
        print_tables(f"{hidden} more of the market and of the ta package: --all shows them.")


def _feature_table(notes: list[FeatureNote], source: str | None) -> Table:
    checked = () if source is None else ("here",)
    rows = []
    for note in notes:
        here = {True: ("yes",), False: ("no",), None: ()}[note.available]
        needs = ["close", *note.needs, *(["other assets"] if note.reads_market else [])]
        name = note.name + ("*" if note.default else "")
        rows.append((name, *here, ", ".join(needs), note.meaning, f"{note.warmup_bars}"))
    return plain_table(
        "Features" if source is None else f"Features from {source}",
        ("feature", *checked, "needs", "meaning"),
        ("warm-up",),
        rows=rows,
        caption="*: used by default. warm-up: bars of an asset before its first value at scale 1; "
        "all columns together start after the longest one at every scale in use.",
    )


def strategies(json: opt.Json = False) -> None:
    """Shipped strategies: meaning, and parameters with defaults.

    A parameter is set with `--set strategy.parameters.NAME=VALUE`; your own strategy is given
    as `--strategy FILE.py`.
    """
    from fingru.strategy import list_strategies

    notes = [vars(note) for note in list_strategies()]
    if json:
        print_json({"strategies": notes})
    else:
        print_tables(_strategy_table(notes))


def _strategy_table(notes: list[dict[str, Any]]) -> Table:
    rows = []
    for note in notes:
        defaults = (f"{k}={'unset' if v is None else v}" for k, v in note["parameters"].items())
        needs = "yes" if note["needs_forecast"] else "no"
        rows.append((note["name"], needs, note["meaning"], ", ".join(defaults) or "none"))
    columns = ("strategy", "needs a forecast", "meaning", "parameters")
    return plain_table("Strategies", columns, rows=rows)
