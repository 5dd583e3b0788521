"""The application: its commands, and errors as messages and exit codes."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import traceback
import warnings
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, NoReturn, TextIO

import typer

from fingru import __version__
from fingru.cli import (
    backtest,
    choices,
    config,
    dashboard,
    data,
    leakcheck,
    live,
    models,
    nulltest,
    runs,
    store,
    tune,
)
from fingru.cli.interrupts import stop_signals
from fingru.cli.options import SettingsCommand
from fingru.cli.output import print_pending_messages
from fingru.errors import FingruError, FingruWarning, masked

app = typer.Typer(
    name="fingru",
    help="Forecast return distributions with a risk-aware GRU and backtest them honestly.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_EVALUATE, _INSPECT, _PRODUCTION = "Evaluate", "Inspect runs", "Production"
_CHOICES = "Settings and choices"
_COMMANDS = (
    (_EVALUATE, backtest.backtest),
    (_EVALUATE, tune.tune),
    (_EVALUATE, leakcheck.leakcheck),
    (_EVALUATE, nulltest.nulltest),
    (_EVALUATE, data.app),
    (_INSPECT, runs.app),
    (_INSPECT, runs.report),
    (_INSPECT, dashboard.dashboard),
    (_INSPECT, store.app),
    (_PRODUCTION, live.train),
    (_PRODUCTION, live.predict),
    (_PRODUCTION, models.retrain),
    (_PRODUCTION, models.app),
    (_CHOICES, config.app),
    (_CHOICES, choices.features),
    (_CHOICES, choices.strategies),
)
for _panel, _command in _COMMANDS:
    if isinstance(_command, typer.Typer):
        app.add_typer(_command, rich_help_panel=_panel)
    else:
        app.command(cls=SettingsCommand, rich_help_panel=_panel)(_command)


def _show_version(shown: bool) -> None:
    if shown:
        typer.echo(f"fingru {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_show_version, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass


def run() -> NoReturn:
    """Run the application; errors become one message, never a traceback."""
    warnings.showwarning = _show_warning
    if isinstance(sys.stdout, TextIOWrapper):  # a terminal or pipe may not encode arrows
        sys.stdout.reconfigure(errors="replace")
    try:
        with stop_signals():
            app()
    except FingruError as error:
        _stop(f"error: {error}", error.exit_code)
    except OSError as error:
        _stop(f"error: {_explain_os_error(error)}", 2)
    except Exception as error:  # noqa: BLE001 - the last resort: a bug, reported as one
        if _is_out_of_memory(error):
            _stop(f"error: not enough memory: {_LESS_MEMORY}", 2)
        _stop(f"error: {_keep_traceback()}", 70)
    finally:
        with suppress(OSError):  # a terminal that was closed
            print_pending_messages()
    sys.exit(0)


_LESS_MEMORY = "take fewer assets or sessions, or lower training.stack_models or model.hidden_size"


def _is_out_of_memory(error: Exception) -> bool:
    """Whether numpy or torch ran out of memory; torch says so only in the message."""
    signs = ("can't allocate memory", "out of memory")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)
    )


def _stop(message: str, code: int) -> NoReturn:
    with suppress(OSError):  # a terminal that was closed
        sys.stdout.flush()
        sys.stderr.write(masked(message) + "\n")
    sys.exit(code)


def _explain_os_error(error: OSError) -> str:
    where = f" {error.filename}" if error.filename else ""
    if error.errno == errno.ENOSPC:
        return f"no space left on the disk{where}: free some and try again"
    return f"the operating system refused{where}: {error.strerror or error}"


def _keep_traceback() -> str:
    """Write the traceback of a bug to a file; returns the message for the terminal."""
    text = masked(traceback.format_exc())
    if os.environ.get("FINGRU_TRACEBACK"):
        return "this is a bug in fingru\n" + text
    handle, name = tempfile.mkstemp(prefix="fingru-traceback-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    last = text.strip().splitlines()[-1]
    return f"this is a bug in fingru ({last}): please report it with {Path(name)}"


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,  # noqa: ARG001 - the signature of warnings.showwarning
    lineno: int,  # noqa: ARG001
    file: TextIO | None = None,  # noqa: ARG001
    line: str | None = None,  # noqa: ARG001
) -> None:
    """Show fingru's own warnings as one line; a user cannot fix those of libraries."""
    if issubclass(category, FingruWarning):
        sys.stderr.write(masked(f"warning: {message}\n"))
