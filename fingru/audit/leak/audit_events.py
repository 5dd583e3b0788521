"""Python's audit events that tell of data from elsewhere, in words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fingru.audit.leak.usercode import is_library
from fingru.market.sources import READ_SOURCE

_PROCESSES = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork")
EVENTS = frozenset(("open", "sqlite3.connect", "socket.connect", "socket.getaddrinfo",
                     READ_SOURCE, *_PROCESSES))  # fmt: skip
"""Everything else is ignored at once."""

_CODE = (".py", ".pyc", ".pyi", ".so", ".pyd", ".nbi", ".nbc")
_OF_THE_SYSTEM = ("/proc/", "/sys/", "/dev/", "/etc/", "/usr/lib", "/usr/share/")
_CORE_COUNTERS = ("lscpu", "uname", "sysctl")
"""Programs that libraries ask for the machine; they say nothing of prices."""


def reads(mode: object, flags: object) -> bool:
    """Whether a file is opened to be read, by the mode of ``open`` or the flags of ``os.open``."""
    if isinstance(mode, str):
        return "r" in mode or "a+" in mode.replace("b", "").replace("t", "")
    return not isinstance(flags, int) or flags & (os.O_WRONLY | os.O_TRUNC) == 0


def described(event: str, arguments: tuple[Any, ...]) -> tuple[str, str]:
    """What an event is, in words, and the file it is about, if it is about one."""
    first = arguments[0] if arguments else ""
    if event in ("open", "sqlite3.connect"):
        if not isinstance(first, str | bytes | os.PathLike) or first == ":memory:":
            return "", ""  # a descriptor that was opened before
        path = str(Path(os.fsdecode(first)).absolute())
        return f"reads {os.fsdecode(first)}", path
    if event == READ_SOURCE:
        return f"reads {first}", ""
    if event in _PROCESSES:
        command = arguments[1] if event == "subprocess.Popen" else first
        words = command if isinstance(command, list | tuple) else _text(command).split()
        name = Path(_text(words[0])).name if words else ""
        if name in _CORE_COUNTERS:
            return "", ""
        told = f" ({name})" if name else ""
        return f"starts another process{told}, which is not watched", ""
    address = arguments[1] if event == "socket.connect" and len(arguments) > 1 else first
    host = address[0] if isinstance(address, tuple) else address
    return f"reaches the network ({host})", ""


def _text(name: object) -> str:
    return os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else ""


def is_no_data(path: str) -> bool:
    """Code, what libraries bring along, and what the system says of itself."""
    if path.endswith(_CODE) or path.startswith(_OF_THE_SYSTEM) or is_library(path):
        return True
    return not Path(path).is_file()
