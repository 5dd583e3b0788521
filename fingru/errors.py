"""The error family: every message says what is wrong, where, and what to do.

The command line prints ``str(error)`` and leaves with ``error.exit_code``; nothing else in fingru
decides exit codes. Anything that is not a ``FingruError`` is a bug and keeps its traceback.
"""

from __future__ import annotations


class FingruError(Exception):
    """Something the user can mend; the message names the thing and the mend.

    Parameters
    ----------
    problem
        What is wrong and where (file, row, column, key), as one sentence without a final stop.
    mend
        What to do about it, as one sentence; printed after the problem.
    """

    exit_code = 2

    def __init__(self, problem: str, mend: str = "") -> None:
        self.problem = problem
        self.mend = mend
        super().__init__(f"{problem}: {mend}" if mend else problem)


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
