"""Where the prices of a source lie on disk."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from fingru.bundled import bundled_path

_PRICES = (".csv", ".csv.gz", ".parquet", ".pq")


def source_files(source: str, cache: Path) -> tuple[Path, ...]:
    """Files that hold the prices of a source; none for simulated ones."""
    kind, _, name = source.partition(":")
    if kind == "sample":
        return tuple(sorted(_sample_files(name)))
    if kind == "yahoo":
        return tuple(sorted(f for f in cache.resolve().rglob("*") if f.is_file()))
    path = Path(source).expanduser().resolve()
    if path.is_dir():  # what lies in folders below it is not read
        return tuple(sorted(f for f in path.iterdir() if f.name.lower().endswith(_PRICES)))
    return (path,) if path.is_file() else ()


def _sample_files(name: str) -> Iterator[Path]:
    if name == "us_stocks":
        yield bundled_path("data/us_stocks.csv.gz").resolve()
    package = find_spec("arch") if name == "indices" else None
    if package is not None and package.origin is not None:
        for index in ("sp500", "nasdaq"):
            yield Path(package.origin).parent.resolve() / "data" / index / f"{index}.csv.gz"


def inode(path: str | Path) -> tuple[int, int] | None:
    """What makes two names the same file; None if there is none."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def resolved(path: str) -> Path | None:
    """The path without links; None for a name that no file can have."""
    try:
        return Path(path).resolve()
    except ValueError:  # a name that no file can have
        return None
