"""Tables in memory as a person reads them from the files of these tests."""

from __future__ import annotations

import gzip
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest

_TEXT = {"<TIME>", "<DATE>", "<DTYYYYMMDD>", "symbol"}


@pytest.fixture(scope="session")
def frame_of():
    """Read a CSV or Parquet file with pandas, two header lines as two levels of columns."""

    def read(path) -> pd.DataFrame:
        if str(path).endswith(".parquet"):
            return pd.read_parquet(path)
        content = Path(path).read_bytes()
        content = gzip.decompress(content) if str(path).endswith(".gz") else content
        head = content.decode().splitlines()[:2]
        separator = max(",;\t|", key=head[0].count)
        cells = [[cell.strip('"') for cell in line.split(separator)] for line in head]
        pairs = len(head) == 2 and not any(c[:1].isdigit() or not c for c in cells[1][1:])
        pairs = pairs and cells[1][0] in {"", "Ticker", "Price", "Dates"}
        given = {"header": [0, 1], "index_col": 0} if pairs else {}
        frame = pd.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, na_values=[""], **given
        )
        for name in frame.columns:  # as exact as Python reads them
            if name not in _TEXT:
                with suppress(ValueError):
                    frame[name] = frame[name].astype(float)
        return frame

    return read
