"""Where prices come from: files, samples and vendors; the only place that uses the network."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from fingru.errors import DataError
from fingru.market.table import Reading

READ_SOURCE = "fingru.read_source"
"""Audit event of every reading; its argument is the source."""


def read_source(source: str, assets: Sequence[str] | None, cache_dir: Path) -> Reading:
    """Read whatever a source names, unchecked.

    Parameters
    ----------
    source
        ``sample:NAME``, ``yahoo:SYMBOL,SYMBOL`` or a path.
    assets
        The symbols that are wanted; others may be left unread.
    cache_dir
        Where vendors' answers are kept.

    Raises
    ------
    DataError
        If it cannot be read.
    """
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
    from fingru.market.sources.files import read_path

    return read_path(Path(source).expanduser(), assets)
