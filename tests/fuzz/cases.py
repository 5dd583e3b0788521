"""The kinds of cases, and how one is run: everything in it is decided by its seed."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from random import Random

from tests.fuzz import price_files, schedules, setting_values, stored_files
from tests.fuzz.outcome import inside, time_limit

KINDS = {
    "price_files": price_files.attempt,
    "setting_values": setting_values.attempt,
    "stored_files": stored_files.attempt,
    "schedules": schedules.attempt,
}
SHARES = {"price_files": 40, "setting_values": 30, "stored_files": 20, "schedules": 10}
"""Of the cases of a run, in percent."""


def run_case(kind: str, seed: int, folder: Path, seconds: float = 60.0) -> None:
    """Run a case in an empty folder.

    Raises
    ------
    FailureError
        If fingru breaks a promise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    logging.disable(logging.CRITICAL)
    try:
        with inside(folder), warnings.catch_warnings(), time_limit(seconds):
            warnings.simplefilter("ignore")
            KINDS[kind](Random(f"{kind} {seed}"), folder)
    finally:
        logging.disable(logging.NOTSET)
