"""Reads a CSV file fast, and finds the cell to blame only when that fails."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from fingru.errors import DataError
from fingru.market.layouts import Layout, find_layout, find_layout_of_pairs
from fingru.market.sources.columns import FileColumns, TextColumn, build_table
from fingru.market.table import IntArray, RawTable

_DELIMITERS = ",;\t|"
_EMPTY = frozenset({"", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "#N/A", "."})
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|Inf|INF|infinity|Infinity)")
_STAMP = re.compile(r"\d{4}-\d{2}-\d{2}|\d{8}|\d{1,2}[/.]\d{1,2}[/.]\d{2}")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")


@dataclass(frozen=True)
class _CsvText:
    """The bytes of a CSV file and what its first lines tell."""

    content: bytes
    origin: str
    delimiter: str
    layout: Layout
    header_lines: int
    width: int


def read_csv(path: Path, symbol: str, assets: Sequence[str] | None = None) -> RawTable:
    """Read a CSV file (plain or gzip) of any of the three layouts.

    Parameters
    ----------
    path
        The file.
    symbol
        Its symbol if it holds one asset.
    assets
        Read only these columns of a wide file; others are left unread.

    Raises
    ------
    DataError
        If the file is empty or not text, has no usable header, a ragged row, a number that is
        none, or a stamp that is none; the message names line and column.
    """
    try:
        text = _open(path, symbol)
    except csv.Error as error:
        raise DataError(f"{path.name} is no CSV file ({error})", "check the file") from error
    cells = text.layout.cells
    if text.layout.kind == "wide" and assets is not None:
        cells = tuple(c for c in cells if c.symbol in set(assets))
    table = _parse(text, [c.position for c in cells])
    if table.num_rows == 0:
        raise DataError(f"{path.name} has a header but no rows", "give a file with prices")
    texts = {i: _text_column(table, i) for i in _text_positions(text.layout)}
    numbers = {c.position: table.column(str(c.position)).to_numpy() for c in cells}
    symbols = tuple(dict.fromkeys(c.symbol for c in text.layout.cells if c.symbol is not None))
    lines = _line_numbers(text, table.num_rows)
    return build_table(FileColumns(path.name, text.layout, texts, numbers, lines), symbols)


def _open(path: Path, symbol: str) -> _CsvText:
    content = _read_bytes(path)
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\0" in content[:4096]:
        raise DataError(f"{path.name} is not plain text", "save it as CSV in UTF-8")
    head = _first_lines(content, path.name)
    if not head:
        raise DataError(f"{path.name} is empty", "give a file with a header line and prices")
    delimiter = max(_DELIMITERS, key=head[0][1].count)
    rows = [next(csv.reader([line], delimiter=delimiter)) for _, line in head]
    layout, used = _layout_of(rows, path.name, symbol)
    return _CsvText(content, path.name, delimiter, layout, head[used - 1][0], len(rows[0]))


def _layout_of(rows: list[list[str]], origin: str, symbol: str) -> tuple[Layout, int]:
    """Find the layout and the number of lines that are its header."""
    names = rows[0]
    if _STAMP.match(names[0].strip()):
        raise DataError(
            f"{origin} has no header: its first line is {','.join(names)[:60]!r}",
            "begin the file with the column names, such as Date,Close",
        )
    first = [row[0].strip().lower() if row else "" for row in rows]
    if len(rows) > 1 and set(first[:2]) == {"price", "ticker"} and len(rows[1]) == len(names):
        layout = find_layout_of_pairs(list(zip(names[1:], rows[1][1:], strict=True)), origin)
        return layout, 3 if len(rows) > 2 and not any(rows[2][1:]) else 2
    return find_layout(names, origin, symbol), 1


def _read_bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} is a damaged gzip file", "fetch it again") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})", "check its rights") from error
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return content


def _first_lines(content: bytes, origin: str) -> list[tuple[int, str]]:
    """Give the first three lines that are not blank, each with its number."""
    out: list[tuple[int, str]] = []
    for number, line in enumerate(io.BytesIO(content), start=1):
        try:
            text = line.decode("utf-8-sig").rstrip("\n")
        except UnicodeDecodeError as error:
            problem = f"{origin} line {number} is not UTF-8"
            raise DataError(problem, "save the file as CSV in UTF-8") from error
        if text.strip():
            out.append((number, text))
        if len(out) == 3:
            break
    return out


def _parse(text: _CsvText, numbers: list[int]) -> pa.Table:
    word = pa.dictionary(pa.int32(), pa.string())
    types: dict[str, pa.DataType] = {str(i): word for i in _text_positions(text.layout)}
    types |= {str(i): pa.float64() for i in numbers}
    try:
        return pa_csv.read_csv(
            io.BytesIO(text.content),
            read_options=pa_csv.ReadOptions(
                column_names=[str(i) for i in range(text.width)], skip_rows=text.header_lines
            ),
            parse_options=pa_csv.ParseOptions(delimiter=text.delimiter),
            convert_options=pa_csv.ConvertOptions(
                include_columns=list(types), column_types=types, null_values=sorted(_EMPTY)
            ),
        )
    except pa.ArrowInvalid as error:
        _blame(text, {i: text.layout.numbers[i] for i in numbers})
        raise DataError(f"{text.origin} cannot be read ({error})", "check the file") from error


def _blame(text: _CsvText, numbers: Mapping[int, str]) -> None:
    """Raise at the first ragged row or the first cell that should be a number and is none."""
    for line, row in _rows(text):
        where = f"{text.origin} line {line}"
        if len(row) != text.width:
            raise DataError(
                f"{where} has {len(row)} columns, the header has {text.width}",
                "a cell with a comma inside needs quotes, and a decimal comma must be a point",
            )
        for position, name in numbers.items():
            cell = row[position].strip()
            if cell not in _EMPTY and not _NUMBER.fullmatch(cell):
                raise DataError(f"{where}, column {name}: {cell!r} is no number", _mend(cell))


def _mend(cell: str) -> str:
    if _THOUSANDS.fullmatch(cell):
        return "write numbers without thousands separators (1234.5)"
    if _DECIMAL_COMMA.fullmatch(cell):
        return "write numbers with a decimal point (1.5), not a comma"
    return "write a plain number, or leave the cell empty where there was no trade"


def _rows(text: _CsvText) -> Iterator[tuple[int, list[str]]]:
    """Give the rows after the header as text, each with the number of its line."""
    stream = io.TextIOWrapper(io.BytesIO(text.content), "utf-8-sig", errors="replace", newline="")
    reader = csv.reader(stream, delimiter=text.delimiter)
    try:
        for row in reader:
            if reader.line_num > text.header_lines and row:
                yield reader.line_num, row
    except csv.Error as error:
        where = f"{text.origin} line {reader.line_num}"
        raise DataError(f"{where} cannot be read ({error})", "check the quotes") from error


def _line_numbers(text: _CsvText, n_rows: int) -> IntArray:
    """Line of every row, blank lines (which the reader skips) counted."""
    plain = text.header_lines + 1 + np.arange(n_rows)
    if text.content.rstrip(b"\r\n").count(b"\n") + 1 - text.header_lines == n_rows:
        return plain
    found = np.fromiter((line for line, _ in _rows(text)), dtype=np.intp)
    return found if len(found) == n_rows else plain


def _text_positions(layout: Layout) -> tuple[int, ...]:
    return layout.dates if layout.symbol is None else (*layout.dates, layout.symbol)


def _text_column(table: pa.Table, position: int) -> TextColumn:
    column = table.column(str(position)).unify_dictionaries().combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0)
    values = ["" if v is None else v for v in column.dictionary.to_pylist()]
    codes = column.indices.fill_null(len(values)).to_numpy().astype(np.intp)
    return TextColumn([*values, ""], codes)
