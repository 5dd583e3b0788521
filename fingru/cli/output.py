"""Output of commands: one JSON document or tables on stdout, progress on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fingru.errors import masked

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from fingru.forecast.problem import Progress


def print_json(document: object) -> None:
    """Print one JSON document; numbers that are not finite become null.

    Characters that the terminal or pipe cannot encode are written as JSON escapes.
    """
    import json

    from fingru.store.strict_json import to_json_bytes

    text = to_json_bytes(document).decode()
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(json.loads(text), indent=2) + "\n"
    sys.stdout.write(text)


def print_tables(*renderables: RenderableType) -> None:
    """Print rich renderables or plain text on stdout."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 140
    # Brackets and colons of a symbol or path are not markup.
    console = Console(width=width, markup=False, emoji=False, highlight=False)
    for renderable in renderables:
        console.print(renderable)


def plain_table(
    title: str,
    texts: Sequence[str],
    numbers: Sequence[str] = (),
    *,
    rows: Iterable[Sequence[str]] = (),
    caption: str | None = None,
) -> Table:
    """Make a table in the style of the reports: texts to the left, numbers to the right.

    The first column names the row and is never cut.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(
        title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD,
        caption=caption, caption_justify="left", caption_style="dim",
    )  # fmt: skip
    for position, heading in enumerate(texts):
        table.add_column(heading, no_wrap=position == 0, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*row)
    return table


def format_number(value: float | None, spec: str) -> str:
    """Format a number; n/a where it is None."""
    return "n/a" if value is None else format(value, spec)


def print_message(message: str) -> None:
    """Print a message on stderr."""
    sys.stderr.write(masked(message) + "\n")


_AT_EXIT: list[str] = []


def print_at_exit(message: str) -> None:
    """Print a message on stderr when the command ends, whether or not it fails."""
    _AT_EXIT.append(message)


def print_pending_messages() -> None:
    """Print the messages of ``print_at_exit``."""
    while _AT_EXIT:
        print_message(_AT_EXIT.pop(0))


@contextmanager
def progress_bars(quiet: bool) -> Iterator[Progress]:
    """Show one bar per stage on a terminal, one line per finished stage elsewhere."""
    if quiet:
        from fingru.forecast.problem import no_progress

        yield no_progress
    elif sys.stderr.isatty():
        with _rich_bars() as report:
            yield report
    else:
        yield _Lines()


@contextmanager
def _rich_bars() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (
        TextColumn("{task.description:<22}"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        Remaining(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, int] = {}

        def report(stage: str, done: float, total: float, note: str = "") -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total, note=note)
            bars.update(tasks[stage], completed=done, total=total, note=note)  # type: ignore[arg-type]

        yield report


class _Lines:
    """Writes a line at the start, each quarter and the end of a stage, for logs and cron mails."""

    def __init__(self) -> None:
        self._quarters: dict[str, int] = {}
        self._ended: set[str] = set()

    def __call__(self, stage: str, done: float, total: float, note: str = "") -> None:
        before = self._quarters.get(stage)
        quarter = int(4 * done / total) if total else 4
        self._quarters[stage] = quarter
        if before is None:
            print_message(f"{stage} ...")
        if quarter > (before or 0) and stage not in self._ended:
            reached = "done" if quarter >= 4 else f"{25 * quarter} %"
            print_message(f"{stage}: {reached}" + (f" ({note})" if note else ""))
        if quarter >= 4:  # kernels may be compiled again: reported once
            self._ended.add(stage)
