"""``fingru dashboard``: the web UI on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from fingru.cli import options as opt
from fingru.errors import ConfigError

if TYPE_CHECKING:
    from fingru.store.settings import StoreSettings


@opt.with_store
def dashboard(
    store: StoreSettings,
    port: Annotated[
        int, typer.Option(min=1024, max=65535, metavar="PORT", help="Port on 127.0.0.1.")
    ] = 8501,
) -> None:
    """Open the web UI over the stored runs, on 127.0.0.1."""
    from fingru.bundled import bundled_path
    from fingru.store.settings import URL_VARIABLE, StoreSettings

    _check_free(port)
    root = Path(os.path.realpath(store.runs))
    if store.runs != StoreSettings().runs and not root.is_dir():
        raise ConfigError(f"there is no folder {root}", "give the folder of runs to --runs")
    command = [sys.executable, "-m", "streamlit", "run", str(bundled_path("dashboard/app.py"))]
    command += [f"--server.port={port}", "--server.address=127.0.0.1"]
    typer.echo(f"dashboard: http://127.0.0.1:{port}  (Ctrl-C stops it)")
    environment = {**os.environ, "FINGRU_RUNS": str(root)}
    if store.url is not None:
        environment[URL_VARIABLE] = store.url
    _become(command, environment)


def _become(command: list[str], environment: dict[str, str]) -> NoReturn:
    """Turn this process into the server; a child would outlive it when this one is killed."""
    if sys.platform == "win32":  # where exec starts another process
        raise typer.Exit(subprocess.call(command, env=environment, stdin=subprocess.DEVNULL))
    sys.stdout.flush()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.execve(command[0], command, environment)


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise ConfigError(f"port {port} is taken", "choose another with --port") from None
