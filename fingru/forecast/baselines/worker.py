"""What a worker process of ``pool`` runs; imports little until it has work."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing import parent_process

from fingru.forecast.baselines.own_bars import OwnBars, OwnForecast
from fingru.forecast.settings import BaselineSettings

_NICENESS = 10
"""What the parent does meanwhile goes first: it is waited for, these are not yet."""


def start_worker() -> None:
    """End with the parent, leave Ctrl-C to it, give way, use one thread for linear algebra."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from threadpoolctl import threadpool_limits

    from fingru.forecast.baselines import methods  # noqa: F401 - loads what uses linear algebra

    threadpool_limits(limits=1)
    if hasattr(os, "nice"):
        os.nice(_NICENESS)


def forecast_in_worker(
    name: str, bars: OwnBars, horizons: tuple[int, ...], settings: BaselineSettings
) -> OwnForecast:
    """Forecast one asset with one baseline, as ``methods.forecast_asset``.

    Known at: as the method says.
    """
    from fingru.forecast.baselines.methods import forecast_asset

    return forecast_asset(name, bars, horizons, settings)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
