"""Retraining by the clock: APScheduler fires ``fingru retrain --once`` in a process of its own.

A process per firing means that a crash, a leak or a full memory of one retraining never reaches
the next; the exit code is logged.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
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
        return CronTrigger.from_crontab(expression, timezone=ZoneInfo(zone))
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ConfigError(
            f"there is no time zone {zone!r}", "write it like Europe/Berlin"
        ) from error
    except ValueError as error:
        raise ConfigError(
            f"{expression!r} is not a cron expression: {error}",
            "write minute hour day month weekday, such as '0 6 * * mon-fri'",
        ) from error


def run_schedule(expression: str, zone: str, arguments: Sequence[str]) -> None:
    """Block and retrain at every time the expression names, until interrupted or terminated.

    A firing that is late, because the one before still ran or the machine slept, runs once.

    Parameters
    ----------
    expression, zone
        When.
    arguments
        Further arguments of ``fingru retrain --once``.
    """
    from apscheduler.schedulers.blocking import BlockingScheduler

    trigger = cron_trigger(expression, zone)
    scheduler = BlockingScheduler(timezone=trigger.timezone)
    scheduler.add_job(
        fire, trigger, args=[tuple(arguments)], coalesce=True, max_instances=1,
        misfire_grace_time=3600,
    )  # fmt: skip

    def stop(_signal: int, _frame: FrameType | None) -> None:
        scheduler.shutdown(wait=False)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    logger.info("retraining at %s (%s)", expression, zone)
    scheduler.start()


def fire(arguments: Sequence[str]) -> int:
    """Retrain once in a process of its own and return its exit code."""
    command = [sys.executable, "-m", "fingru", "retrain", "--once", *arguments]
    code = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    logger.info("retraining ended with exit code %d", code)
    return code
