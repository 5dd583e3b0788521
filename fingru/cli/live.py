"""``fingru train`` and ``fingru predict``: a model of everything known now, and what it says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fingru.cli import options as opt

if TYPE_CHECKING:
    from rich.table import Table

    from fingru.live import Prediction, TrainedModel

Models = Annotated[
    Path | None, typer.Option("--models", metavar="DIR", help="Folder of models. [data/models]")
]


def train(
    config: opt.ConfigFile = None,
    set_: opt.Set = None,
    data: opt.Data = None,
    assets: opt.Assets = None,
    start: opt.Start = None,
    end: opt.End = None,
    seed: opt.Seed = None,
    strategy: opt.Strategy = None,
    members: opt.Members = None,
    horizons: opt.Horizons = None,
    device: opt.Device = None,
    models: Models = None,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Fit a model on all data up to now and store it."""
    from fingru.cli.output import print_json, progress_bars, say
    from fingru.live import train_model

    flags = {
        "data.source": data,
        "data.assets": opt.split(assets),
        "data.start": start,
        "data.end": end,
        "seed": seed,
        "strategy.name": strategy,
        "model.members": members,
        "horizons": opt.whole_numbers(horizons, "--horizons"),
        "device": device,
        "store.models": None if models is None else str(models),
    }
    settings = opt.configuration(config, set_, flags)
    prices = opt.prices_of(settings)
    with progress_bars(quiet) as progress:
        model = train_model(prices, settings, datetime.now(UTC), progress)
    if json:
        print_json({"path": str(model.path), **model.job})
    else:
        typer.echo(str(model.path))
        say(f"model {model.model_id} has learnt up to {model.origin.date()}")


def predict(
    model: Annotated[
        str | None, typer.Option("--model", metavar="ID", help="A model. [the latest]")
    ] = None,
    data: opt.Data = None,
    end: opt.End = None,
    holdings: Annotated[
        str | None,
        typer.Option("--holdings", metavar="A=0.1,B=0.2", help="Present weights. [none]"),
    ] = None,
    models: Models = None,
    json: opt.Json = False,
) -> None:
    """Latest forecast and target weights of a stored model."""
    from fingru.cli.output import print_json, print_tables
    from fingru.config import with_values
    from fingru.live import open_model
    from fingru.live import predict as predict_now
    from fingru.store.settings import StoreSettings

    trained = open_model(models or StoreSettings().models, model)
    changes = {"data.source": data, "data.end": end}
    given = {key: value for key, value in changes.items() if value is not None}
    if "data.end" not in given:
        given["data.end"] = None  # forecast from the latest session there is
    settings = with_values(trained.config, given)
    prediction = predict_now(trained, opt.prices_of(settings), _holdings(holdings))
    if json:
        print_json(_document(trained, prediction))
    else:
        print_tables(_table(trained, prediction))


def _holdings(text: str | None) -> dict[str, float]:
    from fingru.errors import ConfigError

    weights = {}
    for part in opt.split(text) or []:
        asset, _, weight = part.rpartition("=")
        try:
            weights[asset] = float(weight)
        except ValueError:
            asset = ""
        if not asset:
            raise ConfigError(f"--holdings {part!r} is not a weight", "write AAPL=0.1,MSFT=0.2")
    return weights


def _document(trained: TrainedModel, prediction: Prediction) -> dict[str, object]:
    weights = prediction.weights
    return {
        "model_id": trained.model_id,
        "model_origin": trained.job["origin"],
        "origin": prediction.origin.isoformat(),
        "forecasts": prediction.table.to_dict(orient="records"),
        "weights": weights,
        "cash": None if weights is None else 1.0 - sum(weights.values()),
    }


def _table(trained: TrainedModel, prediction: Prediction) -> Table:
    from rich.table import Table

    title = f"From the close of {prediction.origin.date()}, model {trained.model_id}"
    table = Table(title=title, caption="95 % ranges of the price; weights are of equity")
    headings = (
        "asset",
        "bars ahead",
        "close",
        "mean",
        "volatility a year",
        "from",
        "to",
        "weight",
    )
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "asset" else "right")
    for row in prediction.table.itertuples():
        weight = "keep"
        if prediction.weights is not None:
            weight = f"{prediction.weights[row.asset]:.1%}"
        table.add_row(
            str(row.asset),
            str(row.horizon),
            f"{row.close:,.2f}",
            f"{row.mean:+.3%}",
            f"{row.annual_volatility:.1%}",
            f"{row.lower_price:,.2f}",
            f"{row.upper_price:,.2f}",
            weight,
        )
    return table
