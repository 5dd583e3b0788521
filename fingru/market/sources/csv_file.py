"""Reads a CSV file fast, and looks for the bad row only when that fails."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from fingru.arrays import IntArray
from fingru.errors import DataError
from fingru.market.layouts import Layout, filled, find_layout, find_layout_of_pairs
from fingru.market.names import date_rank, meaning_of
from fingru.market.sources.frame import build_table
from fingru.market.sources.numbers import MISSING, to_number
from fingru.market.table import RawTable

_DELIMITERS = ",;\t|"
_CORNERS = {"", "ticker", "tickers", "symbol", "symbols", "price", "attributes", "field", "fields"}
_STAMP = re.compile(r"\d{4}([-./]\d{1,2}[-./]|\d{4})\d{0,2}|\d{1,2}[/.]\d{1,2}[/.]\d{2}|\d{9,}")


@dataclass(frozen=True)
class _CsvText:
    """The bytes of a CSV file, and its format by its first lines."""

    content: bytes
    origin: str
    delimiter: str
    layout: Layout
    header_lines: int
    width: int


def read_csv(path: Path, symbol: str, assets: Sequence[str] | None = None) -> RawTable:
    """Read a CSV file (plain or gzip) of any layout; ``symbol`` is that of a single asset.

    Columns of a wide file that are not among ``assets`` are left unread.

    Raises
    ------
    DataError
        If the file is empty or not text, has no usable header, a ragged row, or a cell that should
        be a number or a stamp and is not; the message names line and column.
    """
    try:
        text = _open(path, symbol)
    except csv.Error as error:
        problem = f"{path.name} is not a valid CSV file ({error})"
        raise DataError(problem, "check the file") from error
    layout = text.layout
    words = [*layout.dates, *([] if layout.symbol is None else [layout.symbol])]
    table = _parse(text, words, [c.position for c in layout.chosen(assets)])
    if table.num_rows == 0:
        raise DataError(f"{path.name} has a header but no rows", "give a file with prices")
    frame = table.unify_dictionaries().to_pandas().rename(columns=int)
    return build_table(frame, layout, path.name, assets, _line_numbers(text, len(frame)))


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


def _read_bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} is a damaged gzip file", "fetch it again") from error
    except OSError as error:
        problem = f"{path} cannot be read ({error.strerror})"
        raise DataError(problem, "check its permissions") from error
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in content else content


def _first_lines(content: bytes, origin: str) -> list[tuple[int, str]]:
    """The first three lines that are neither blank nor remarks, with their numbers."""
    out: list[tuple[int, str]] = []
    for number, line in enumerate(io.BytesIO(content), start=1):
        try:
            text = line.decode("utf-8-sig").rstrip("\n")
        except UnicodeDecodeError as error:
            problem = f"{origin} line {number} is not UTF-8"
            raise DataError(problem, "save the file as CSV in UTF-8") from error
        if text.strip() and (out or not _is_remark(text)):
            out.append((number, text))
        if len(out) == 3:
            break
    return out


def _is_remark(line: str) -> bool:
    """Whether a line above the column names is a comment, or a vendor's address."""
    remark = re.match(r'\s*"?(#|https?://)', line)
    return bool(remark) and all(date_rank(n) is None for n in re.split(r"[,;\t|]", line))


def _layout_of(rows: list[list[str]], origin: str, symbol: str) -> tuple[Layout, int]:
    """The layout, and the number of header lines."""
    names = rows[0]
    if _STAMP.match(names[0].strip()):
        problem = f"{origin} has no header: its first line is {','.join(names)[:60]!r}"
        raise DataError(problem, "begin the file with the column names, such as Date,Close")
    if len(rows) > 1 and _is_second_header(rows):
        pairs = zip(filled(names[1:]), filled(rows[1][1:]), strict=True)
        layout = find_layout_of_pairs(list(pairs), origin)
        return layout, 3 if len(rows) > 2 and not any(rows[2][1:]) else 2
    return find_layout(names, origin, symbol, rows[1] if len(rows) > 1 else ()), 1


def _is_second_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first two lines are fields and symbols, in either order.

    Symbols may be whole numbers (0700) if fields repeat or an empty third line follows.
    """
    names, row = rows[0], rows[1]
    corner = row[0].strip() if row else "x"
    begins_names = corner.lower() in _CORNERS or date_rank(corner) is not None
    if len(row) != len(names) or len(names) < 2 or not begins_names:
        return False
    fields = [_all_fields(line[1:]) for line in (names, row)]
    if fields[0] == fields[1]:
        return False
    symbols = [n.strip() for n in (row if fields[0] else names)[1:] if n.strip()]
    numbers = [n for n in symbols if to_number(n, grouped=True, volume=True) is not None]
    repeats = len({n.strip().lower() for n in names[1:]}) < len(names) - 1
    empty = len(rows) > 2 and not any(rows[2][1:])
    sure = all(n.isdecimal() for n in numbers) and (repeats or empty)
    return bool(symbols) and (len(numbers) < len(symbols) or sure)


def _all_fields(names: Sequence[str]) -> bool:
    kinds = {meaning_of(n).kind for n in names if n.strip()}
    return bool(kinds) and kinds <= {"field", "other"}


def _parse(text: _CsvText, words: Sequence[int], numbers: Sequence[int]) -> pa.Table:
    """Read the columns: ``numbers`` as numbers if all their cells are plain, else as text."""
    word = pa.dictionary(pa.int32(), pa.string())
    types: dict[str, pa.DataType] = {str(i): word for i in words}
    for kind in (pa.float64(), word):
        types |= {str(i): kind for i in numbers}
        try:
            return pa_csv.read_csv(
                io.BytesIO(text.content),
                read_options=pa_csv.ReadOptions(
                    column_names=[str(i) for i in range(text.width)], skip_rows=text.header_lines
                ),
                parse_options=pa_csv.ParseOptions(delimiter=text.delimiter),
                convert_options=pa_csv.ConvertOptions(
                    include_columns=list(types), column_types=types, null_values=sorted(MISSING)
                ),
            )
        except pa.ArrowInvalid as error:
            reason = error
    for line, row in _rows(text):
        if len(row) != text.width:
            raise DataError(
                f"{text.origin} line {line} has {len(row)} columns, the header has {text.width}",
                "a cell with a comma inside needs quotes, and a decimal comma must be a point",
            )
    raise DataError(f"{text.origin} cannot be read ({reason})", "check the file") from reason


def _rows(text: _CsvText) -> Iterator[tuple[int, list[str]]]:
    """Rows after the header as text, with their line numbers."""
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
    """Line of every row; the reader skips blank lines."""
    plain = text.header_lines + 1 + np.arange(n_rows)
    if text.content.rstrip(b"\r\n").count(b"\n") + 1 - text.header_lines == n_rows:
        return plain
    lines = np.fromiter((line for line, _ in _rows(text)), dtype=np.intp)
    return lines if len(lines) == n_rows else plain
