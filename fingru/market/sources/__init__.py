"""Sources of prices: files, samples, vendors and memory; only these use the network."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from fingru.errors import DataError
from fingru.market.sources.tables import PricesInMemory, read_memory, read_path
from fingru.market.table import Reading

READ_SOURCE = "fingru.read_source"
"""Audit event when a named source is read; its argument is the source."""

PriceSource = str | os.PathLike[str] | PricesInMemory
"""``sample:NAME``, ``yahoo:SYMBOL,SYMBOL``, a path, or tables in memory."""


def read_source(
    source: PriceSource, name: str, assets: Sequence[str] | None, cache_dir: Path
) -> Reading:
    """Read a source without checks; a DataError if it cannot be read.

    ``name`` is for messages, other assets than ``assets`` may be left unread, and vendors' answers
    are kept in ``cache_dir``.
    """
    if not isinstance(source, str | os.PathLike):
        return read_memory(source, name, assets)
    source = os.fspath(source)
    sys.audit(READ_SOURCE, source)  # a strategy that loads prices itself is noticed
    kind, _, rest = source.partition(":")
    if kind == "sample":
        from fingru.market.sources.samples import read_sample

        return read_sample(rest, assets)
    if kind == "yahoo":
        from fingru.market.sources.yahoo import read_yahoo

        return read_yahoo(rest.split(","), cache_dir, now=datetime.now(UTC))
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", source):
        raise DataError(f"{kind}:// addresses are not read", "download the file and give its path")
    if not source.strip():
        raise DataError("no data source was given", "give sample:us_stocks, yahoo:SPY or a path")
    return read_path(Path(source).expanduser(), assets)
