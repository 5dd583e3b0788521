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
    """Answer each call that comes through the pipe with its result or its error, to its end."""
    _start()
    from threadpoolctl import threadpool_limits

    try:
        while True:
            call = pipe.recv()  # imports what uses linear algebra, so the limit comes after it
            try:
                with threadpool_limits(limits=1):
                    answer: object = call()
            except Exception as error:  # noqa: BLE001 - raised where the task came from
                answer = error
            pipe.send(answer)
    except (EOFError, OSError):  # whoever asked is gone
        pass


def _start() -> None:
    """End with the parent, leave signals to it, give way."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(_NICENESS)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
