"""What a check found in the data: refused, a warning, or a note."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from fingru.errors import DataError


class Severity(StrEnum):
    """How much a finding matters."""

    REFUSED = "refused"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class DataIssue:
    """One thing found, with all places where it occurs counted.

    Parameters
    ----------
    kind
        Identifier such as ``duplicates`` or ``suspicious_jumps``.
    severity
        ``refused`` stops the work; ``warning`` is doubtful; ``note`` is worth knowing.
    problem
        What and where (file, line, column, symbol), as one sentence without a final stop.
    mend
        What to do about it.
    count
        How many cells, rows or sessions it concerns.
    assets
        The symbols it concerns, in column order; empty if it concerns all.
    """

    kind: str
    severity: Severity
    problem: str
    mend: str = ""
    count: int = 1
    assets: tuple[str, ...] = ()

    def concerns(self, assets: Sequence[str]) -> bool:
        """Whether it is about one of these assets, or about all."""
        return not self.assets or not set(self.assets).isdisjoint(assets)

    def to_dict(self) -> dict[str, object]:
        """Return the finding as plain values for JSON."""
        return {
            "kind": self.kind,
            "severity": self.severity.value,
            "problem": self.problem,
            "mend": self.mend,
            "count": self.count,
            "assets": list(self.assets),
        }


def refused(
    problem: str, mend: str = "", *, kind: str = "unreadable", count: int = 1
) -> DataIssue:
    """Build a finding that stops the work."""
    return DataIssue(kind, Severity.REFUSED, problem, mend, count)


def note(kind: str, problem: str, count: int = 1) -> DataIssue:
    """Build a finding that is only worth knowing."""
    return DataIssue(kind, Severity.NOTE, problem, count=count)


def raise_if_refused(findings: list[DataIssue]) -> None:
    """Raise the first refusal, and say how many others there are.

    Raises
    ------
    DataError
        If at least one finding is a refusal.
    """
    refusals = [f for f in findings if f.severity is Severity.REFUSED]
    if not refusals:
        return
    more = len(refusals) - 1
    rest = f" ({more} more with `fingru data check`)" if more else ""
    raise DataError(refusals[0].problem, refusals[0].mend + rest)
