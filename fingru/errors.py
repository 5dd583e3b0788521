"""The error family: every message says what is wrong, where, and what to do.

The command line prints ``str(error)`` and exits with ``error.exit_code``. Anything that is not a
``FingruError`` is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

_URL_PASSWORD = re.compile(r"(:/+[^\s:/@'\"]*:)(?:[^\s'\"]*|[^\n@]*)(?=@)")
_NAMED_PASSWORD = re.compile(
    r"(\b\w*(?:password|passwd|passphrase|pwd)=)[^&\s'\"]+", re.IGNORECASE
)
MASK = "***"


def masked(text: str) -> str:
    """Hide the passwords of URLs in a text; everything that fingru writes or prints uses it.

    Examples
    --------
    >>> masked("cannot reach postgresql://me:s3cret@host/db?sslpassword=x")
    'cannot reach postgresql://me:***@host/db?sslpassword=***'
    """
    if ":/" in text:
        text = _URL_PASSWORD.sub(rf"\1{MASK}", text)
    return _NAMED_PASSWORD.sub(rf"\1{MASK}", text) if "=" in text else text


def did_you_mean(name: str, known: Iterable[str], most: int = 1, cutoff: float = 0.6) -> str:
    """Suggest the known names nearest to a wrong one, with a final space; empty if none is near.

    Examples
    --------
    >>> did_you_mean("ewam", ["ewma", "har"]), did_you_mean("x", ["ewma"])
    ("did you mean 'ewma'? ", '')
    """
    near = difflib.get_close_matches(name, list(known), n=most, cutoff=cutoff)
    return f"did you mean {' or '.join(map(repr, near))}? " if near else ""


def first_few(names: Sequence[str], most: int = 5) -> str:
    """List a few names and count the others.

    >>> first_few(["A", "B", "C"], most=2)
    'A, B and 1 more'
    """
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


class FingruError(Exception):
    """Something the user can fix.

    ``problem`` says what is wrong and where (file, row, column, key), without a final stop;
    ``mend`` says what to do about it, and is printed after the problem.
    """

    exit_code = 2

    def __init__(self, problem: str, mend: str = "") -> None:
        self.problem = masked(problem)
        self.mend = masked(mend)
        super().__init__(f"{self.problem}: {self.mend}" if mend else self.problem)


class DataError(FingruError):
    """Prices that cannot be read or used."""


class ConfigError(FingruError):
    """A configuration key, value or combination that makes no sense."""


class StrategyError(FingruError):
    """A strategy that cannot be loaded or that returned unusable weights."""


class ModelError(FingruError):
    """A stored model that does not fit, or a training that cannot start."""


class StoreError(FingruError):
    """A run, model or database that cannot be read or written."""


class LeakFoundError(FingruError):
    """Something decided at a time changed when only later prices changed."""

    exit_code = 3


class InterruptedRunError(FingruError):
    """A run stopped by the user; what was finished is stored and can be resumed."""

    exit_code = 4


class PromotionRefusedError(FingruError):
    """The challenger did not pass the gate; the champion stays."""

    exit_code = 5


class FingruWarning(UserWarning):
    """Something the user should know that does not stop the work."""
