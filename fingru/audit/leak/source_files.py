"""Where the prices of a source lie on disk."""

from __future__ import annotations

from pathlib import Path

from fingru.market.sources.samples import sample_files
from fingru.market.sources.tables import files_of_folder


def source_files(source: str, cache: Path) -> tuple[Path, ...]:
    """Files that hold the prices of a source; none for simulated ones."""
    kind, _, name = source.partition(":")
    if kind == "sample":
        return tuple(sorted(f.resolve() for f in sample_files(name)))
    if kind == "yahoo":
        return tuple(sorted(f for f in cache.resolve().rglob("*") if f.is_file()))
    path = Path(source).expanduser().resolve()
    if path.is_dir():
        return tuple(files_of_folder(path))
    return (path,) if path.is_file() else ()


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
