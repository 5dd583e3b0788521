"""Make ``us_stocks.csv.gz`` from the S&P 500 sample of skfolio: the same bytes on every machine.

    python data/make_us_stocks.py            # writes data/us_stocks.csv.gz and prints its sha256
    python data/make_us_stocks.py --verify   # compares the prices of the committed file instead

Needs ``pip install "skfolio>=1.12,<2"``, which fingru itself does not.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
from pathlib import Path

import pandas as pd
from skfolio.datasets import load_sp500_dataset

TARGET = Path(__file__).with_name("us_stocks.csv.gz")
DECIMALS = 3  # the source has no more, so nothing is lost


def as_csv(closes: pd.DataFrame) -> bytes:
    """Wide closes as CSV text, one line per session, fixed number of decimals."""
    text = closes.to_csv(
        date_format="%Y-%m-%d", float_format=f"%.{DECIMALS}f", lineterminator="\n"
    )
    return text.encode("ascii")


def as_gzip(content: bytes) -> bytes:
    """Gzip without time stamp and file name, so equal content gives equal bytes."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, compresslevel=9, mtime=0) as file:
        file.write(content)
    return buffer.getvalue()


def main() -> int:
    """Write the file, or compare the committed one with the source."""
    content = as_csv(load_sp500_dataset().rename_axis("Date"))
    if "--verify" in sys.argv[1:]:
        same = gzip.decompress(TARGET.read_bytes()) == content
        print("same prices" if same else "the committed file differs from its source")
        return 0 if same else 1
    packed = as_gzip(content)
    TARGET.write_bytes(packed)
    print(f"{hashlib.sha256(packed).hexdigest()}  {TARGET.name}  {len(packed):,} bytes")
    print(f"{hashlib.sha256(content).hexdigest()}  content, unpacked")
    return 0


if __name__ == "__main__":
    sys.exit(main())
