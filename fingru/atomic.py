"""Files that are replaced as a whole: either the old content or the new one."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

TEMPORARY_SUFFIX = ".tmp"


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Replace a file in one step, so that a crash or a full disk leaves the old one intact.

    The content is flushed to a temporary file in the same folder (made when missing), which is
    then renamed. Raises ``OSError`` if that fails; no temporary file is left.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_and_flush(temporary, content)
        os.replace(temporary, path)  # noqa: PTH105 - patched by tests to simulate a crash
        _flush_folder(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _write_and_flush(path: Path, content: bytes) -> None:
    with path.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _flush_folder(folder: Path) -> None:
    """Make the rename durable where the file system can; it is atomic anyway."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
