"""What the user's own code reads besides what it is given.

A strategy that opens the file of the prices knows every later close, and no change of the panel
shows it. While own code may run, Python's audit events (every ``open``, connection and new
process) are looked at; what the user's code caused is kept with file and line.
"""

from __future__ import annotations

import filecmp
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Self

from fingru.audit.leak.audit_events import EVENTS, described, is_no_data, reads
from fingru.audit.leak.native import OpenWatch
from fingru.audit.leak.report import MEND_OF_READING, WHAT_IT_READ
from fingru.audit.leak.source_files import inode, resolved, source_files
from fingru.audit.leak.usercode import is_library, is_named, module_roots, references_of
from fingru.config import Config
from fingru.errors import LeakFoundError
from fingru.market.sources import READ_SOURCE


@dataclass(frozen=True)
class Access:
    """One thing that the user's code reached for: what, and from where (file and line)."""

    what: str
    where: str
    is_source: bool = False
    file: str = ""

    def __str__(self) -> str:
        """As part of a sentence."""
        return f"{self.where} {self.what}"


class Watch:
    """Collects what the user's code reaches for while it is entered; may be entered repeatedly.

    Parameters
    ----------
    source
        Of the prices that the run is tested on, as the user gave it.
    config
        Says which code is the user's, and where vendors' answers are kept.
    """

    def __init__(self, source: str, config: Config) -> None:
        self.source = source
        self._own = references_of(config)
        self._roots = module_roots(config)
        self._files = source_files(source, config.data.cache)
        self._inodes = {inode(file) for file in self._files} - {None}
        self._found: dict[tuple[str, str], Access] = {}
        self._opens = OpenWatch(self._files if self._own else ())
        self._rounds: list[bool] = []
        self._opened = False
        self._entry: FrameType | None = None
        self._thread = 0

    def __enter__(self) -> Self:
        global _active
        _install()
        self._entry, self._thread = sys._getframe(1), threading.get_ident()
        self._opens.opened()
        _active = self
        return self

    def __exit__(self, *_: object) -> None:
        global _active
        _active = self._entry = None
        self._opened |= self._opens.opened() > 0

    def end_round(self) -> None:
        """All of the user's code has run once more."""
        self._rounds.append(self._opened)
        self._opened = False

    def close(self) -> None:
        """Stop watching for good."""
        self._opens.close()

    @property
    def sees_compiled_readers(self) -> bool:
        """Whether an open that Python is not told of would be seen."""
        return self._opens.works or not self._own or not self._files

    def reads_of_source(self) -> list[Access]:
        """Reads of the file of the prices, or of a copy of it; each of them is a leak."""
        found = [a for a in self._found.values() if a.is_source or self._is_copy(a.file)]
        if not found and len(self._rounds) > 1 and all(self._rounds):
            how = f"reads {self.source} with a compiled reader"
            found = [Access(how, " or ".join(self._own), is_source=True)]
        return found

    def reservations(self) -> list[str]:
        """What else was reached for: it may hold later prices, and no check can tell."""
        leaks = self.reads_of_source()
        found = [str(a) for a in self._found.values() if a not in leaks]
        if (self._opened or any(self._rounds)) and not leaks:
            found.append(
                f"{self.source} was opened while {', '.join(self._own)} ran, by it or by another "
                "program"
            )
        return found

    def refuse(self) -> None:
        """Raise if the file of the prices was read.

        Raises
        ------
        LeakFoundError
            Naming who read it.
        """
        for access in self.reads_of_source():
            raise LeakFoundError(f"{access}: those are {WHAT_IT_READ}", MEND_OF_READING)

    def note(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Keep an audit event if it is the user's code that caused it."""
        if event == "open" and not reads(*arguments[1:3]):
            return
        what, path = described(event, arguments)
        if not what:
            return
        is_source = self._is_source(path) or (event == READ_SOURCE and arguments[0] == self.source)
        if not is_source and (event == READ_SOURCE or (path and is_no_data(path))):
            return
        caller = self._caller(is_source)
        if caller:
            access = Access(what, caller, is_source, path)
            self._found.setdefault((what, caller.partition(",")[0]), access)

    def _is_source(self, path: str) -> bool:
        """Whether a file is the source, by whatever name, or one of a folder of it."""
        return bool(path) and (inode(path) in self._inodes or resolved(path) in self._files)

    def _caller(self, is_source: bool) -> str:
        """File and line of the user's code that is innermost in the stack, if any is.

        What a library reads while it is being imported is its own affair, but for the source.
        """
        frame: FrameType | None = sys._getframe(3)
        ours = threading.get_ident() == self._thread
        while frame is not None and frame is not self._entry:
            if frame.f_code.co_filename.startswith("<frozen importlib") and not is_source:
                return ""
            if is_named(frame, self._roots) or (ours and not is_library(frame.f_code.co_filename)):
                return f"{Path(frame.f_code.co_filename).name}, line {frame.f_lineno},"
            frame = frame.f_back
        return ""

    def _is_copy(self, file: str) -> bool:
        """Whether a file has the bytes of the source under another name."""
        try:
            return bool(file) and any(filecmp.cmp(file, f, shallow=False) for f in self._files)
        except OSError:
            return False


@contextmanager
def watched(source: str, config: Config) -> Iterator[Watch]:
    """A watch that is closed at the end; it is entered wherever the user's code may run."""
    watch = Watch(source, config)
    try:
        yield watch
    finally:
        watch.close()


_active: Watch | None = None
_installed = False


def _install() -> None:
    """Once in a process, as an audit hook stays; it does nothing while no watch is entered."""
    global _installed
    if not _installed:
        sys.addaudithook(_hook)
        _installed = True


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    watch = _active
    if watch is not None and event in EVENTS:
        watch.note(event, arguments)
