"""Retraining by the clock: APScheduler fires ``fingru retrain --once`` in a process of its own.

A process per firing means that a crash, a leak or a full memory of one retraining never reaches
the next; the exit code is logged.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Any

from fingru.errors import ConfigError

logger = logging.getLogger(__name__)


def cron_trigger(expression: str, zone: str = "UTC") -> Any:  # noqa: ANN401 - APScheduler's own
    """Read a five-field cron expression.

    Raises
    ------
    ConfigError
        If it is not one, or the time zone is unknown.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from apscheduler.triggers.cron import CronTrigger

    try:
        found = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise ConfigError(
            f"there is no time zone {zone!r}", "write it like Europe/Berlin"
        ) from error
    try:
        return CronTrigger.from_crontab(expression, timezone=found)
    except ValueError as error:
        raise ConfigError(
            f"{expression!r} is not a cron expression: {error}",
            "write minute hour day month weekday, such as '0 6 * * mon-fri'",
        ) from error


def run_schedule(expression: str, zone: str, arguments: Sequence[str]) -> None:
    """Block and retrain at every time the expression names, until interrupted or terminated.

    A firing that is late, because the one before still ran or the machine slept, runs once. What
    ends the schedule (SIGTERM or Ctrl-C) ends a retraining under way too; the champion stays.

    Parameters
    ----------
    expression, zone
        When.
    arguments
        Further arguments of ``fingru retrain --once``.
    """
    run_trigger(cron_trigger(expression, zone), Retrainer(arguments))


def run_trigger(trigger: Any, retrainer: Retrainer) -> None:  # noqa: ANN401 - APScheduler's own
    """Block and retrain whenever an APScheduler trigger says so."""
    from apscheduler.schedulers.blocking import BlockingScheduler

    scheduler = BlockingScheduler(timezone=trigger.timezone)
    scheduler.add_job(
        retrainer.fire, trigger, coalesce=True, max_instances=1, misfire_grace_time=3600
    )

    def stop(_signal: int, _frame: FrameType | None) -> None:
        scheduler.shutdown(wait=False)
        retrainer.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    logger.info("retraining at %s", trigger)
    try:
        scheduler.start()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    logger.info("the schedule has ended")


class Retrainer:
    """Starts ``fingru retrain --once`` in a process of its own and can end it.

    Parameters
    ----------
    arguments
        Further arguments of the command.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = tuple(arguments)
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()

    def fire(self) -> None:
        """Retrain once, and log the exit code."""
        if self._stopped.is_set():
            return
        command = [sys.executable, "-m", "fingru", "retrain", "--once", *self._arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        if self._stopped.is_set():  # told to while the process was being started
            self._process.terminate()
        logger.info("retraining ended with exit code %d", self._process.wait())

    def stop(self) -> None:
        """Start nothing more, and end what runs."""
        self._stopped.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
