"""What counts as a failure: anything that is neither an answer nor one clear refusal."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from fingru.errors import FingruError

CODES = {0, 1, 2, 3, 4, 5}
"""The exit codes that the command line promises."""


class FailureError(AssertionError):
    """A promise that was broken, with the command or call that did it."""


class HangError(FailureError):
    """No answer within the time of a case."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise in whatever Python code still runs after so many seconds."""

    def stop(*_: object) -> None:
        raise HangError(
            f"no answer within {seconds:g} s\n" + "".join(traceback.format_stack()[-9:])
        )

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in a folder, with tracebacks shown and no wide tables."""
    before, kept = Path.cwd(), dict(os.environ)
    os.environ.update(FINGRU_TRACEBACK="1", COLUMNS="110")
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(kept)


def command(*arguments: object) -> int:
    """Run ``fingru`` in this process and hold it to its promises; returns the exit code."""
    from fingru.cli import main

    words = [str(argument) for argument in arguments]
    out, err, before = StringIO(), StringIO(), sys.argv
    sys.argv = ["fingru", *words]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
        code: object = 0
    except SystemExit as ended:
        code = 0 if ended.code is None else ended.code
    except FailureError:
        raise
    except BaseException as error:
        raise FailureError(f"fingru {words} raised\n{traceback.format_exc()}") from error
    finally:
        sys.argv = before
    _hold(words, code, out.getvalue(), err.getvalue())
    return int(str(code))


def refusal_or_value(what: str, call, *refusals: type[Exception]):
    """The value of a call, or None if it is refused in fingru's own words."""
    try:
        return call()
    except (FingruError, *refusals):
        return None
    except FailureError:
        raise
    except Exception as error:
        raise FailureError(f"{what} raised\n{traceback.format_exc()}") from error


def check(holds: bool, promise: str) -> None:
    """Fail unless a promise holds."""
    if not holds:
        raise FailureError(promise)


def _hold(words: list[str], code: object, out: str, err: str) -> None:
    told = f"fingru {words} left with {code}\n--- stdout\n{out[-3000:]}\n--- stderr\n{err[-6000:]}"
    check(code in CODES, told)
    check("Traceback (most recent" not in out + err, told)
    check("bug in fingru" not in err, told)
    check(code in (0, 1) or bool((out + err).strip()), f"no message: {told}")
    if "--json" in words and code in (0, 1):
        _one_document(out, told)


def _one_document(out: str, told: str) -> None:
    def refuse(word: str) -> None:
        raise FailureError(f"{word} in JSON: {told}")

    try:
        json.loads(out, parse_constant=refuse)
    except ValueError as error:
        raise FailureError(f"no JSON document ({error}): {told}") from error
