"""A copy of the ledger as lines of text beside its SQLite file.

No trial may be lost with a damaged or deleted file: each is appended here after it was entered,
and a rebuilt ledger begins with these lines.
"""

from __future__ import annotations

import base64
import json
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fingru.store.files import exclusive, explained, read_bytes_if_there

JOURNAL_FILE = "fingru.ledger.jsonl"
_TRIAL = (
    "created_at", "kind", "data_sha256", "run_or_study", "config_sha256", "sharpe_per_period",
    "sharpe_annual", "periods",
)  # fmt: skip
_RETURNS = ("first", "last", "bars_per_year", "bars", "net_returns")

logger = logging.getLogger(__name__)

Entry = tuple[dict[str, Any], dict[str, Any] | None]
"""Columns of a row of ``trials`` without its number, and of ``trial_returns`` without it."""


def append_entries(journal: Path, entries: Iterable[Entry]) -> None:
    """Append entries, one a line, and flush them to the disk; ``StoreError`` if it fails."""
    lines = "".join(json.dumps(_as_json(entry)) + "\n" for entry in entries)
    with (
        explained("write", journal),
        exclusive(journal.parent),
        journal.open("a", encoding="ascii") as file,
    ):
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())


def read_entries(journal: Path) -> list[Entry]:
    """All entries, oldest first; a damaged line is left out with a warning."""
    entries = []
    lines = (read_bytes_if_there(journal) or b"").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            entries.append(_from_json(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError):
            logger.warning("%s, line %d is damaged and left out", journal, number)
    return entries


def split_entry(row: Mapping[Any, Any]) -> Entry:
    """Entry of a row that joins a trial with its returns."""
    trial = {name: row[name] for name in _TRIAL}
    returns = {name: row[name] for name in _RETURNS}
    return trial, None if returns["bars"] is None else returns


def key_of(trial: Mapping[str, Any]) -> tuple[str, ...]:
    """Columns that identify an entry."""
    names = ("kind", "run_or_study", "config_sha256", "created_at")
    return tuple(str(trial[name]) for name in names)


def _as_json(entry: Entry) -> dict[str, Any]:
    trial, returns = entry
    packed = returns and {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for name, value in returns.items()
    }
    return {"trial": trial, "returns": packed}


def _from_json(line: dict[str, Any]) -> Entry:
    trial, returns = line["trial"], line["returns"]
    if set(trial) != set(_TRIAL) or (returns is not None and set(returns) != set(_RETURNS)):
        raise ValueError("another kind of line")
    if returns is not None:
        binary = {k: base64.b64decode(returns[k], validate=True) for k in ("bars", "net_returns")}
        returns = {**returns, **binary}
    return trial, returns
