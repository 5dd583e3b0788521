"""``fingru train`` and ``fingru predict``: a model of everything known now, and its forecast."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fingru.cli import options as opt
from fingru.cli.interrupts import interruptible
from fingru.cli.output import plain_table, print_json, print_message, print_tables, progress_bars
from fingru.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from fingru.pipeline.live import Prediction
    from fingru.pipeline.trained import TrainedModel
    from fingru.store.settings import StoreSettings


@opt.with_settings(opt.STRATEGY, opt.MEMBERS, opt.HORIZONS, opt.DEVICE, opt.MODELS)
def train(given: opt.GivenSettings, json: opt.Json = False, quiet: opt.Quiet = False) -> None:
    """Fit a model on all data up to now and store it; prints its folder.

    The settings of the walk-forward that matter here are its window and ``rolling_bars``.
    """
    from fingru.pipeline.trained import train_model

    settings = given.config()
    interrupted = "the training was interrupted; no model was stored"
    with interruptible(interrupted), progress_bars(quiet) as progress:
        prices = opt.prices_of(settings, quiet)
        model = train_model(prices, settings, datetime.now(UTC), progress)
    if json:
        print_json({"path": str(model.path), **model.job})
    else:
        typer.echo(str(model.path))
        if not quiet:
            from fingru.market.sessions import session_name

            print_message(
                f"model {model.model_id} is trained on data up to {session_name(model.origin)}"
            )


@opt.with_store
def predict(
    store: StoreSettings,
    model: Annotated[
        str | None,
        opt.option(
            "--model",
            "ID",
            "A model's id, a prefix of it, or its folder. [the champion of `fingru models`, else "
            "the latest trained]",
            panel=None,
        ),
    ] = None,
    data: Annotated[
        str | None,
        opt.option(
            "--data", "SOURCE", "Prices up to now. [what it was trained on]", panel=opt.DATA
        ),
    ] = None,
    end: opt.End = None,
    holdings: Annotated[
        str | None,
        typer.Option("--holdings", metavar="A=0.1,B=0.2", help="Present weights. [all cash]"),
    ] = None,
    models: opt.Models = None,
    trust_code: opt.TrustCode = False,
    json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Latest forecast and target weights of a stored model, as a table or JSON."""
    from fingru.config import with_values
    from fingru.pipeline.live import predict as predict_now

    weights = _holdings(holdings)
    trained = _model(model, store, models)
    changes: dict[str, str | None] = {"data.end": end}  # unset: the latest session there is
    if data is not None:
        changes["data.source"] = data
    prices = opt.prices_of(with_values(trained.config, changes), quiet)
    prediction = predict_now(trained, prices, weights, trust_code=trust_code)
    for note in prediction.notes:
        print_message(f"warning: {note}")
    if json:
        print_json(_document(trained, prediction))
    else:
        print_tables(_table(trained, prediction))


def _model(model: str | None, store: StoreSettings, models: Path | None) -> TrainedModel:
    """Open the model of ``--model``, else the champion, else the one trained last."""
    from fingru.pipeline.trained import open_model
    from fingru.store.registry import known_champion

    folder = models or store.models
    if model is not None:
        return open_model(folder, model)
    champion = known_champion(opt.existing_database(store), folder)
    return open_model(folder, None if champion is None else champion.path)


def _holdings(text: str | None) -> dict[str, float]:
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
        "model_origin": trained.origin.isoformat(),
        "origin": prediction.origin.isoformat(),
        "notes": prediction.notes,
        "data_warnings": [finding.to_dict() for finding in prediction.data_warnings],
        "missing": [
            {"asset": asset, "reason": reason} for asset, reason in prediction.missing.items()
        ],
        "forecasts": prediction.table.to_dict(orient="records"),
        "weights": weights,
        "cash": None if weights is None else 1.0 - sum(weights.values()),
    }


def _table(trained: TrainedModel, prediction: Prediction) -> Table:
    from fingru.market.sessions import session_name

    title = f"From the close of {session_name(prediction.origin)}, model {trained.model_id}"
    numbers = ("bars ahead", "close", "mean", "volatility / year", "from", "to", "weight")
    rows = [
        (
            row["asset"],
            f"{row['horizon']}",
            _figure(row["close"], ",.2f"),
            _figure(row["mean"], "+.3%"),
            _figure(row["annual_volatility"], ".1%"),
            _figure(row["lower_price"], ",.2f"),
            _figure(row["upper_price"], ",.2f"),
            "keep" if prediction.weights is None else f"{prediction.weights[row['asset']]:.1%}",
        )
        for row in prediction.table.to_dict(orient="records")
    ]
    caption = "from, to: 95 % range of the price; weight: of equity"
    return plain_table(title, ("asset",), numbers, rows=rows, caption=caption)


def _figure(value: float, spec: str) -> str:
    """A figure, or a dash where there is no forecast."""
    return format(value, spec) if isfinite(value) else "-"
