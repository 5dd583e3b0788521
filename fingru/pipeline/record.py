"""How a running job is recorded on disk: its first manifest, finished units, and its end."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fingru import __version__
from fingru.arrays import FloatArray
from fingru.config import Config, make_config
from fingru.errors import ConfigError, DataError, InterruptedRunError, StoreError
from fingru.forecast.forecast import Forecast
from fingru.forecast.problem import Progress
from fingru.market.sessions import session_name
from fingru.measures.returns import return_per_bar, sharpe_ratio
from fingru.models.walk import StartedWalks
from fingru.store.database import open_database
from fingru.store.ledger import Trial, indecisive_sections, record_trial
from fingru.store.returns import TrialReturns
from fingru.store.runs import RunDirectory
from fingru.store.settings import StoreSettings
from fingru.store.strict_json import json_sha256
from fingru.trust import code_of, remember_code
from fingru.walkforward.walk import WalkForward, baseline_models, baseline_names


def first_manifest(job: WalkForward) -> dict[str, Any]:
    """What is known of a run before it starts."""
    prices, index = job.prices, job.prices.index
    features = job.problem.features
    config = job.config.model_dump(mode="json")
    code = code_of(config)
    remember_code(code)

    def day(row: int) -> str:
        return session_name(index[row])

    return {
        "fingru_version": __version__,
        "python_version": platform.python_version(),
        "torch_version": version("torch"),
        "data": {
            "source": prices.source,
            "sha256": prices.sha256,
            "assets": list(prices.assets),
            "first": day(0),
            "last": day(-1),
            "sessions": prices.n_sessions,
            "bars_per_year": prices.bars_per_year,
            "notes": list(prices.notes),
            "warnings": [finding.to_dict() for finding in prices.warnings],
        },
        "config": config,
        "code": code,
        "seed": job.config.seed,
        "model": job.config.model.kind,
        **_strategy_facts(job),
        "features": {
            "names": list(features.names),
            "scales": list(features.scales),
            "warmup_bars": features.warmup_bars,
            "fingerprint": features.fingerprint,
        },
        "folds": [
            {
                "number": fold.number,
                "origin": day(fold.origin),
                "train_first": day(fold.train_first),
                "test_first": day(fold.test_first),
                "test_last": day(fold.test_last),
            }
            for fold in job.folds
        ],
    }


def _strategy_facts(job: WalkForward) -> dict[str, Any]:
    """Name of the chosen strategy; of a Python object its class and the source of it too."""
    chosen = job.chosen
    if chosen.given is None:
        return {"strategy": chosen.name}
    given = {"class": chosen.given.reference, "source": chosen.given.source}
    return {"strategy": chosen.name, "strategy_object": given}


def open_directory(job: WalkForward, resume: str | None) -> RunDirectory:
    """Start a run's directory, or reopen one whose data and configuration are the same."""
    root = job.config.store.runs
    open_database(root, job.config.store.url)  # what cannot be counted later is refused now
    if resume is None:
        return RunDirectory.create(root, None, first_manifest(job), now=datetime.now(UTC))
    directory = RunDirectory.open(root, resume)
    stored = directory.manifest
    if (stored.get("data") or {}).get("sha256") != job.prices.sha256:
        raise DataError(
            f"run {directory.run_id} was made of other prices than {job.prices.source} holds now",
            "start a new run without --resume",
        )
    refuse_other_object(stored, _strategy_facts(job).get("strategy_object"))
    # Through the settings of today: what a later version added has its default there.
    config = make_config(stored["config"]).model_dump(mode="json", exclude={"store"})
    if config != job.config.model_dump(mode="json", exclude={"store"}):
        raise ConfigError(
            f"run {directory.run_id} was started with another configuration",
            "resume it without other settings, or start a new run",
        )
    directory.resume()
    if stored.get("error") is not None:
        directory.update_manifest(error=None)
    return directory


def refuse_other_object(stored: dict[str, Any], given: object = None) -> None:
    """Refuse to resume a run of a Python object with anything but an object of the same class.

    Parameters
    ----------
    stored
        Manifest of the run.
    given
        What it would hold of the strategy that is given now; None for one of a name or file.
    """
    kept = stored.get("strategy_object")
    if kept is not None and kept != given:
        raise ConfigError(
            f"the strategy of run {stored['run_id']} was given as a Python object of class "
            f"{kept['class']}, which is not what is given now",
            "go on in Python, with strategy= and resume= of run_backtest",
        )


@contextmanager
def recording_failure(directory: RunDirectory) -> Iterator[None]:
    """Mark the run as interrupted or failed when its work does not come to its end.

    Where even the mark cannot be written, as on a full disk, the error that came first is told;
    the run then counts as interrupted as soon as this process has ended.
    """
    try:
        yield
    except KeyboardInterrupt:
        with suppress(StoreError):
            directory.finish("interrupted", {})
        raise InterruptedRunError(
            f"run {directory.run_id} was interrupted; what was finished is stored",
            f"go on with: {_resume_command(directory)}",
        ) from None
    except Exception as error:
        with suppress(StoreError):
            directory.update_manifest(error=str(error) or type(error).__name__)
            directory.finish("failed", {})
        raise


def _resume_command(directory: RunDirectory) -> str:
    if "strategy_object" in directory.manifest:
        return f"run_backtest(prices, config, strategy=..., resume={directory.run_id!r})"
    root = directory.path.parent
    elsewhere = "" if root == StoreSettings().runs else f" --runs {root}"
    return f"fingru backtest --resume {directory.run_id}{elsewhere}"


@dataclass(frozen=True)
class UnitCheckpoints:
    """Keeps finished folds of training as units of a run directory."""

    directory: RunDirectory

    def load(self, fold: int) -> dict[str, NDArray[Any]] | None:
        """State of a finished fold, or None if it has to be trained."""
        unit = self.directory.checkpoints.load(f"fold_{fold:04d}")
        return None if unit is None else unit[0]

    def save(self, fold: int, state: dict[str, NDArray[Any]]) -> None:
        """Keep the state of a finished fold."""
        self.directory.checkpoints.save(f"fold_{fold:04d}", state, {})


@contextmanager
def started_baselines(
    directory: RunDirectory | None, job: WalkForward
) -> Iterator[Callable[[Progress], list[Forecast]]]:
    """Begin the forecasts of all baselines; what is given waits for them.

    Those that an interrupted run had finished are read instead.
    """
    names = baseline_names(job.config)
    stored = (
        [] if directory is None else [directory.checkpoints.load(f"forecast_{n}") for n in names]
    )
    units = [unit for unit in stored if unit is not None]
    if directory is not None and len(units) == len(names):
        found = [_as_forecast(n, a, job) for n, a in zip(names, units, strict=True)]
        yield lambda _: found
        return

    def finish(progress: Progress) -> list[Forecast]:
        forecasts = [walk.forecast for walk in walks.finish(progress)]
        if directory is not None:
            for forecast in forecasts:
                _keep(directory, forecast)
        return forecasts

    workers = job.config.baselines.workers
    with StartedWalks(baseline_models(job.config), job.problem, job.folds, workers) as walks:
        yield finish


def _keep(directory: RunDirectory, forecast: Forecast) -> None:
    directory.checkpoints.save(
        f"forecast_{forecast.model}",
        forecast.columns(),
        {"family": forecast.distribution.signature},
    )


def _as_forecast(
    model: str, unit: tuple[dict[str, NDArray[Any]], dict[str, Any]], job: WalkForward
) -> Forecast:
    columns, meta = unit
    prices = job.prices
    return Forecast.from_columns(
        model, prices.index, prices.assets, job.config.horizons, columns, meta.get("family")
    )


def enter_trial(
    config: Config,
    net_returns: FloatArray,
    bars_per_year: float,
    *,
    kind: Literal["backtest", "tuning"],
    data_sha256: str,
    source: str,
    dates: pd.DatetimeIndex | None = None,
    assets: Sequence[str] | None = None,
) -> None:
    """Enter a judged configuration in the trial ledger.

    The Sharpe ratio is over the cash of the configuration, as in ``strategy_metrics``.

    Parameters
    ----------
    config
        What was tried.
    net_returns
        (N,) returns of its strategy, net of costs.
    bars_per_year
        For the annualised Sharpe ratio.
    kind, data_sha256, source
        What tried it, hash of the prices, and id of the run or name of the study.
    dates
        (N,) bars of the returns, which are then kept for as long as the ledger; None counts the
        trial without them, as one that has nothing in common with any other.
    assets
        Symbols of the prices; None counts trials on the very same prices alone.
    """
    net = np.asarray(net_returns, dtype=np.float64)
    cash = return_per_bar(config.simulation.cash_rate, bars_per_year)
    per_bar = sharpe_ratio(net, 1.0, cash)
    decisive = config.model_dump(mode="json", exclude=indecisive_sections(config.model.kind))
    record_trial(
        open_database(config.store.runs, config.store.url),
        Trial(
            kind=kind,
            data_sha256=data_sha256,
            run_or_study=source,
            # A setting judged on inner splits is another trial than the same one on the test days.
            config_sha256=json_sha256(decisive if kind == "backtest" else {"tuned": decisive}),
            sharpe_per_period=per_bar,
            sharpe_annual=per_bar * bars_per_year**0.5,
            periods=len(net),
            created_at=datetime.now(UTC),
        ),
        None if dates is None or not len(net) else TrialReturns(dates, net, bars_per_year),
        assets,
    )
