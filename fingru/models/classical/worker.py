"""What a worker process of ``pool`` runs; imports little until it has work."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing import parent_process
from multiprocessing.connection import Connection

_NICENESS = 10
"""What the parent does meanwhile goes first: it is waited for, these are not yet."""


def serve(pipe: Connection) -> None:
    """Answer each task that comes through the pipe with its forecast or its error, to its end.

    Known at: as ``methods.forecast_asset`` says.
    """
    _start()
    from fingru.models.classical.methods import forecast_asset

    try:
        while True:
            name, bars, horizons, settings = pipe.recv()
            try:
                answer: object = forecast_asset(name, bars, horizons, settings)
            except Exception as error:  # noqa: BLE001 - raised where the task came from
                answer = error
            pipe.send(answer)
    except (EOFError, OSError):  # whoever asked is gone
        pass


def _start() -> None:
    """End with the parent, leave signals to it, give way, use one thread for linear algebra."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from threadpoolctl import threadpool_limits

    from fingru.models.classical import methods  # noqa: F401 - loads what uses linear algebra

    threadpool_limits(limits=1)
    if hasattr(os, "nice"):
        os.nice(_NICENESS)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
