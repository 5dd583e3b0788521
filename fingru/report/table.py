"""The value every report table is: a frame of raw numbers, and how to write each column."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

import pandas as pd

from fingru.report.labels import GROUPS, NOT_AVAILABLE, TERMS, Fmt, format_value, is_missing


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
    def of(
        cls,
        key: str,
        data: pd.DataFrame | Sequence[Mapping[str, Any]],
        *extra: Column,
        notes: Sequence[str] = (),
        **words: object,
    ) -> Table:
        """Table whose words stand in ``tables.toml`` under ``key``.

        Parameters
        ----------
        key
            Its section there.
        data
            Frame, or rows by column name; what a row lacks is undefined.
        extra
            Columns that depend on the run, where the section says ``@extra``.
        notes
            Sentences that depend on the run, after the fixed ones.
        words
            What fills the placeholders of title and labels.
        """
        section = _sections()[key]
        columns: list[Column] = []
        for entry in section["columns"]:
            if isinstance(entry, str):
                columns += extra if entry == "@extra" else term_columns(GROUPS.get(entry, [entry]))
            else:
                name, label, *rest = entry
                column = Column(name, label.format_map(words), *rest)
                reason = section.get("undefined", column.undefined)
                columns.append(column if len(rest) > 2 else replace(column, undefined=reason))
        if not isinstance(data, pd.DataFrame):
            data = pd.DataFrame(data, columns=[column.name for column in columns], dtype=object)
        return cls(
            section["title"].format_map(words),
            data,
            tuple(columns),
            (*section.get("notes", ()), *notes),
            section.get("transposed", False),
        )

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
    return Table.of("facts", rows, title=title)


@cache
def _sections() -> dict[str, dict[str, Any]]:
    path = resources.files("fingru.report") / "tables.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))
