"""Retraining by the clock: runs ``fingru retrain --once``, each time in a new process.

So a crash or a memory leak of one retraining never reaches the next. One thread waits and polls;
signal handlers only set a flag, because a lock taken there could be held by the interrupted code.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

from fingru.errors import PromotionRefusedError

logger = logging.getLogger(__name__)

LATEST = timedelta(hours=1)
"""A run missed by more, because the machine slept, is left out; by less, it runs late."""

_POLL_S = 0.5
_PATIENCE_S = 20.0
_ENDING = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


class Trigger(Protocol):
    """When to retrain, such as a ``crontab.CronTrigger``."""

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """First time at or after ``now`` and after ``previous``; None if there is none."""


def run_trigger(trigger: Trigger, arguments: Sequence[str]) -> None:
    """Block and retrain at every time of a trigger, until it ends or a signal comes.

    Times that passed while a retraining ran or the machine slept are made up by one run. A signal
    that ends the schedule (SIGTERM, SIGHUP or Ctrl-C) ends a retraining under way too; the
    champion stays. A retraining that fails is logged as an error, and the schedule goes on.
    ``arguments`` are added to ``fingru retrain --once``.
    """
    with _until_signal() as stopped:
        due: datetime | None = None
        while (due := _next(trigger, due, datetime.now(UTC))) is not None:
            when = f"{due:%a %Y-%m-%d %H:%M %Z}"
            logger.info("next retraining: %s", when)
            if not _wait_for(due, stopped):
                break
            if datetime.now(UTC) - due <= LATEST:
                _fire(arguments, stopped)
            else:
                logger.warning("the retraining of %s was missed: the machine was asleep", when)
    logger.info("the schedule has ended")


def _next(trigger: Trigger, previous: datetime | None, now: datetime) -> datetime | None:
    """Next time to run; of several times that have passed meanwhile, the last."""
    since = now if previous is None else now - LATEST
    due = trigger.get_next_fire_time(previous, since)
    while due is not None and due <= now:
        later = trigger.get_next_fire_time(due, since)
        if later is None or later > now:
            break
        due = later
    return due


@contextmanager
def _until_signal() -> Iterator[Callable[[], bool]]:
    """Gives a function that tells whether a signal that ends the schedule has come."""
    received: list[int] = []
    numbers = [getattr(signal, name) for name in _ENDING if hasattr(signal, name)]
    before = {n: signal.signal(n, lambda number, _frame: received.append(number)) for n in numbers}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait_for(due: datetime, stopped: Callable[[], bool]) -> bool:
    """Wait by the wall clock, which advances while the machine sleeps; False if stopped."""
    while not stopped():
        left = (due - datetime.now(UTC)).total_seconds()
        if left <= 0:
            return True
        time.sleep(min(left, _POLL_S))
    return False


def _fire(arguments: Sequence[str], stopped: Callable[[], bool]) -> None:
    """Retrain once and log how it ended; a stop ends it within ``_PATIENCE_S``."""
    command = [sys.executable, "-m", "fingru", "retrain", "--once", *arguments]
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    except OSError as error:
        logger.error("the retraining could not be started: %s", error)
        return
    while (code := process.poll()) is None and not stopped():
        time.sleep(_POLL_S)
    if code is None:
        _end(process)
        logger.warning("the retraining under way was ended; the champion stays")
    elif code == 0:
        logger.info("the retraining is done")
    elif code == PromotionRefusedError.exit_code:
        logger.info("the retraining is done: the gate kept the champion")
    else:
        logger.error("the retraining failed with exit code %d; the champion stays", code)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=_PATIENCE_S)
