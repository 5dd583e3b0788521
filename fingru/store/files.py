"""Files of a store: written atomically, locked, with clear messages for errors of the disk."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from fingru import atomic
from fingru.errors import StoreError

LOCK_FILE = ".lock"
LOCK_TIMEOUT_S = 60.0

_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK)  # of file systems without locks

_FIXES = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder with {flag}",
    errno.EDQUOT: "the quota is used up; free some space or choose another folder with {flag}",
    errno.EACCES: "check its permissions or choose another folder with {flag}",
    errno.EPERM: "check its permissions or choose another folder with {flag}",
    errno.EROFS: "the file system is read-only; choose a writable folder with {flag}",
    errno.ENOTDIR: "a part of this path is a file; choose another folder with {flag}",
    errno.EEXIST: "a file stands where a folder is needed; choose another folder with {flag}",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def storage_error(error: OSError, action: str, path: Path, flag: str = "--runs") -> StoreError:
    """Explain what the operating system refused, where, and what to do about it.

    ``action`` is a verb such as "write"; ``flag`` chooses another folder on the command line.

    Examples
    --------
    >>> print(storage_error(OSError(errno.EROFS, "Read-only"), "write", Path("runs/a.json")))
    cannot write runs/a.json: the file system is read-only; choose a writable folder with --runs
    """
    reason = error.strerror or str(error)
    fix = _FIXES.get(error.errno or 0, "the operating system says: {reason}")
    return StoreError(f"cannot {action} {path}", fix.format(flag=flag, reason=reason))


@contextmanager
def explained(action: str, path: Path, flag: str = "--runs") -> Iterator[None]:
    """Turn an ``OSError`` into a ``StoreError`` (``storage_error``)."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, action, path, flag) from error


def write_bytes_atomic(path: Path, content: bytes) -> None:
    """Replace a file in one step (see ``fingru.atomic``); ``StoreError`` if it cannot be."""
    with explained("write", path):
        atomic.write_bytes_atomic(path, content)


def read_bytes(path: Path) -> bytes:
    """Read a whole file; ``StoreError`` if it is missing or cannot be read."""
    content = read_bytes_if_there(path)
    if content is None:
        raise StoreError(f"{path} does not exist", "run `fingru runs list` to see what is stored")
    return content


def read_bytes_if_there(path: Path) -> bytes | None:
    """Read a whole file; None if it is missing."""
    with explained("read", path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file in hexadecimal, read in pieces."""
    with explained("read", path), path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def set_aside(file: Path, label: str, now: datetime) -> Path:
    """Rename an SQLite file with its WAL; returns the new path, or raises ``StoreError``."""
    renamed = file.with_name(f"{file.name}.{label}-{now:%Y%m%d-%H%M%S}")
    with explained("rename", file):
        for ending in ("", "-wal", "-shm"):
            beside = Path(f"{file}{ending}")
            if beside.exists():
                beside.rename(f"{renamed}{ending}")
    return renamed


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Lock a folder, so that reading and rewriting a file in it is one step (``lock_file``).

    Raises ``StoreError`` if the folder is missing or read-only, or another process has held it
    for a minute.
    """
    if not folder.is_dir():
        raise storage_error(FileNotFoundError(errno.ENOENT, "no such folder"), "open", folder)
    with lock_file(folder / LOCK_FILE, LOCK_TIMEOUT_S, f"another process works in {folder}"):
        yield


@contextmanager
def lock_file(path: Path, timeout_s: float, busy: str) -> Iterator[None]:
    """Hold a lock of the operating system on a file, made when missing; it ends with the process.

    On a file system without locks nothing is locked. Raises ``StoreError`` if the file cannot be
    made, or, with the message ``busy``, if it is held for longer than ``timeout_s``.
    """
    lock = FileLock(path, timeout=timeout_s)
    try:
        lock.acquire()
    except Timeout:
        raise StoreError(busy, "wait for it to end") from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise storage_error(error, "open", path) from error
    except NotImplementedError:
        pass
    try:
        yield
    finally:
        lock.release()
