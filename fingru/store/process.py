"""Who is working on a run, and whether that process is still there."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_GONE = ("Z", "X")  # states of a process that has ended and only waits to be collected


def this_process() -> dict[str, Any]:
    """Host, process number and start of this process, for the manifest of the run it works on."""
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "started": _state_and_start(pid)[1]}


def is_alive(process: Mapping[str, Any] | None) -> bool:
    """Whether a recorded process still works.

    One of another host cannot be seen and counts as alive. The recorded start tells a process
    from a later one with the same number.
    """
    if not process or not isinstance(process.get("pid"), int):
        return False
    if process.get("host") != socket.gethostname():
        return True
    pid = process["pid"]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's process, so it exists
    state, start = _state_and_start(pid)
    recorded = process.get("started")
    return state not in _GONE and (not start or not recorded or start == recorded)


def _state_and_start(pid: int) -> tuple[str, str]:
    """State letter, and start as boot id and clock ticks; empty where /proc does not exist."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", ""
    # The command's name stands in brackets and may itself hold blanks and brackets.
    fields = stat.rpartition(")")[2].split()
    return fields[0], f"{boot}:{fields[19]}"
