"""Opens of a file that Python is not told of: compiled readers such as Arrow's open by themselves.

Linux counts them (inotify), whoever opens the file; elsewhere nothing is seen.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

_IN_OPEN, _IN_ISDIR = 0x20, 0x40000000
_EVENT = struct.Struct("iIII")


class OpenWatch:
    """Counts opens of files, and of the files in folders, by any process.

    Parameters
    ----------
    paths
        What is watched; what cannot be is left out.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._descriptor = -1
        if not paths or sys.platform != "linux":
            return
        library = ctypes.CDLL(None)
        self._descriptor = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        for path in paths if self.works else ():
            library.inotify_add_watch(self._descriptor, os.fsencode(path), _IN_OPEN)

    @property
    def works(self) -> bool:
        """Whether anything can be seen on this system."""
        return self._descriptor >= 0

    def opened(self) -> int:
        """How often a file was opened since this was last asked."""
        found = 0
        while self.works:
            try:
                events = os.read(self._descriptor, 1 << 16)
            except BlockingIOError:
                break
            at = 0
            while at < len(events):
                _, mask, _, length = _EVENT.unpack_from(events, at)
                found += bool(mask & _IN_OPEN) and not mask & _IN_ISDIR
                at += _EVENT.size + length
        return found

    def close(self) -> None:
        """Give the descriptor back."""
        if self.works:
            os.close(self._descriptor)
            self._descriptor = -1
