"""The value every report table is: a frame of raw numbers, and how to write each column."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from fingru.report.catalogue import NOT_AVAILABLE, TERMS, Kind, is_missing, write_value


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name
        Column of the frame.
    label
        Heading.
    kind
        How values are written.
    meaning
        What it is, for a tooltip; empty if the heading says it.
    undefined
        Why a value may be ``n/a``.
    """

    name: str
    label: str
    kind: Kind
    meaning: str = ""
    undefined: str = "not recorded by this run"


@dataclass(frozen=True)
class Table:
    """A table for people whose numbers stay numbers.

    Parameters
    ----------
    title
        Heading.
    frame
        Raw values, one row per thing; None or NaN where undefined.
    columns
        What to show of it, in order; the first names the row.
    notes
        Sentences below the table.
    transposed
        Better read with the columns down the side (few rows, many columns).
    """

    title: str
    frame: pd.DataFrame
    columns: tuple[Column, ...]
    notes: tuple[str, ...] = ()
    transposed: bool = False

    def cells(self) -> list[list[str]]:
        """Rows of written values, in the order of ``columns``."""
        values = [
            [write_value(value, column.kind) for value in self.frame[column.name]]
            for column in self.columns
        ]
        return [list(row) for row in zip(*values, strict=True)]

    def reasons(self) -> list[str]:
        """Why values are undefined, one sentence per reason: ``Sharpe, PSR n/a: ...``."""
        found: dict[str, list[str]] = {}
        for column in self.columns:
            blank = any(is_blank(value) for value in self.frame[column.name])
            if blank and column.kind != "text":
                found.setdefault(column.undefined, []).append(column.label)
        return [f"{'; '.join(names)} {NOT_AVAILABLE}: {why}" for why, names in found.items()]


def is_blank(value: object) -> bool:
    """Whether a cell has nothing to show; text is judged by being there at all."""
    return (value is None or value == "") if isinstance(value, str | None) else is_missing(value)


def term_columns(fields: tuple[str, ...]) -> tuple[Column, ...]:
    """Columns of catalogued fields."""
    return tuple(
        Column(field, term.label, term.kind, term.explanation, term.undefined)
        for field, term in ((field, TERMS[field]) for field in fields)
    )


def facts(title: str, values: dict[str, object], notes: tuple[str, ...] = ()) -> Table:
    """Table of two columns: what, and its value as text."""
    written = [NOT_AVAILABLE if is_blank(v) else str(v) for v in values.values()]
    frame = pd.DataFrame({"what": list(values), "value": written}, dtype=object)
    columns = (Column("what", "What", "text"), Column("value", "Value", "text"))
    return Table(title, frame, columns, notes)
