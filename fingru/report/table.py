"""The value every report table is: a frame of raw numbers, and how to write each column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from fingru.report.labels import NOT_AVAILABLE, TERMS, Fmt, format_value, is_missing


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name
        Column of the frame.
    label
        Heading.
    fmt
        How values are written.
    meaning
        What it is, for a tooltip; empty if the heading says it.
    undefined
        Why a value may be ``n/a``.
    """

    name: str
    label: str
    fmt: Fmt = "text"
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

    @classmethod
    def of_rows(
        cls,
        title: str,
        rows: Sequence[Mapping[str, Any]],
        *columns: Column,
        notes: Sequence[str] = (),
        transposed: bool = False,
    ) -> Table:
        """Table of rows by column name; what a row lacks is undefined."""
        frame = pd.DataFrame(rows, columns=[column.name for column in columns], dtype=object)
        return cls(title, frame, columns, tuple(notes), transposed)

    def only(self, *names: str) -> Table:
        """The same table with those of its columns."""
        return replace(self, columns=tuple(c for c in self.columns if c.name in names))

    def cells(self) -> list[list[str]]:
        """Rows of written values, in the order of ``columns``."""
        values = [
            [format_value(value, column.fmt) for value in self.frame[column.name]]
            for column in self.columns
        ]
        return [list(row) for row in zip(*values, strict=True)]

    def reasons(self) -> list[str]:
        """Why values are undefined, one sentence per reason: ``Sharpe, PSR n/a: ...``."""
        labels: dict[str, list[str]] = {}
        for column in self.columns:
            if column.fmt != "text" and any(map(is_blank, self.frame[column.name])):
                labels.setdefault(column.undefined, []).append(column.label)
        return [f"{'; '.join(names)} {NOT_AVAILABLE}: {why}" for why, names in labels.items()]


def is_blank(value: object) -> bool:
    """Whether a cell has nothing to show; text is judged by being there at all."""
    return (value is None or value == "") if isinstance(value, str | None) else is_missing(value)


def term_columns(fields: Sequence[str]) -> tuple[Column, ...]:
    """Columns of labelled fields of ``metrics.json``."""
    return tuple(
        Column(field, term.label, term.fmt, term.explanation, term.undefined)
        for field, term in ((field, TERMS[field]) for field in fields)
    )


def facts(title: str, values: Mapping[str, object]) -> Table:
    """Table of two columns: what, and its value as text."""
    rows = [
        {"what": what, "value": NOT_AVAILABLE if is_blank(value) else str(value)}
        for what, value in values.items()
    ]
    return Table.of_rows(title, rows, Column("what", "What"), Column("value", "Value"))
