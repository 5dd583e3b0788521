"""Issues of data: refusals, warnings and notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from fingru.errors import DataError


class Severity(StrEnum):
    """How much an issue matters."""

    REFUSED = "refused"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class DataIssue:
    """One kind of issue, with all places where it occurs counted.

    Parameters
    ----------
    kind
        Identifier such as ``duplicates`` or ``suspicious_jumps``.
    severity
        ``refused`` stops the work; ``warning`` is doubtful; ``note`` is worth knowing.
    problem
        What and where (file, line, column, symbol), as one sentence without a final stop.
    mend
        The fix.
    count
        Number of cells, rows or sessions.
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
        """Whether it concerns one of these assets, or all."""
        return not self.assets or not set(self.assets).isdisjoint(assets)

    def to_dict(self) -> dict[str, object]:
        """Return the issue as plain values for JSON."""
        return {**asdict(self), "severity": self.severity.value, "assets": list(self.assets)}


def refused(
    kind: str, problem: str, mend: str = "", count: int = 1, assets: tuple[str, ...] = ()
) -> DataIssue:
    """Build an issue that stops the work."""
    return DataIssue(kind, Severity.REFUSED, problem, mend, count, assets)


def warning(
    kind: str, problem: str, mend: str = "", count: int = 1, assets: tuple[str, ...] = ()
) -> DataIssue:
    """Build an issue that is doubtful."""
    return DataIssue(kind, Severity.WARNING, problem, mend, count, assets)


def note(kind: str, problem: str, count: int = 1) -> DataIssue:
    """Build an issue that is only worth knowing."""
    return DataIssue(kind, Severity.NOTE, problem, count=count)


def worst_first(issues: Iterable[DataIssue]) -> list[DataIssue]:
    """Order by severity, otherwise as they are."""
    order = list(Severity)
    return sorted(issues, key=lambda issue: order.index(issue.severity))


def raise_if_refused(issues: Iterable[DataIssue]) -> None:
    """Raise a DataError for the first refusal, with the number of others."""
    refusals = [issue for issue in issues if issue.severity is Severity.REFUSED]
    if refusals:
        more = len(refusals) - 1
        rest = f" ({more} more with `fingru data check`)" if more else ""
        raise DataError(refusals[0].problem, refusals[0].mend + rest)
