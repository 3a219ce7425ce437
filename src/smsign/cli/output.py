"""Output of commands: tables for people, JSON for programs."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from smsign.cli.language import word

STATUS_WORDS = {0: "in the audit", 1: "passed", 2: "refused"}
_STYLES = {0: "yellow", 1: "green", 2: "red"}

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def show_json(value: object) -> None:
    """Print `value` as one JSON document."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def show_fields(fields: Mapping[str, object]) -> None:
    """Print one name and value per line; the names are translated."""
    fields = {word(name): value for name, value in fields.items()}
    if not sys.stdout.isatty():
        _print_cells(fields.items())
        return
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in fields.items():
        table.add_row(Text(name, style="dim"), value if isinstance(value, Text) else Text(str(value)))
    Console(highlight=False).print(table)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print a table, or the text `empty` when there are no rows; headings and `empty` are translated."""
    columns = [word(column) for column in columns]
    lines = [[cell if isinstance(cell, Text) else Text(str(cell)) for cell in row] for row in rows]
    if not lines:
        click.secho(word(empty), dim=True)
        return
    if not sys.stdout.isatty():
        _print_cells([columns, *lines])
        return
    table = Table(header_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for line in lines:
        table.add_row(*line)
    Console(highlight=False).print(table)


def _print_cells(lines: Iterable[Iterable[object]]) -> None:
    """Print tab-separated cells, one line each, without padding and wrapping: for pipes and files."""
    for line in lines:
        click.echo("\t".join(" ".join(re.split(r"[\t\r\n]+", str(cell))) for cell in line))


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar on a terminal; yields a function of (description, completed, total).

    The description is translated up to a colon: "copying: signature".
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
    )
    shown = Console(stderr=True)
    with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as progress:
        task = progress.add_task("")

        def show(text: str, done: int, total: int) -> None:
            doing, colon, what = text.partition(":")
            progress.update(task, description=word(doing) + colon + what, completed=done, total=total or None)

        yield show


def status(value: int) -> Text:
    """Return the status of a signature in words; another service may have other ones."""
    named = STATUS_WORDS.get(value)
    return Text(word(named) if named else f"{word('status')} {value}", style=_STYLES.get(value, ""))


def local_time(at: datetime | int | None) -> str:
    """Return a time (an int: UTC microseconds) as local time to the second."""
    at = datetime.fromtimestamp(at / 1e6, UTC) if isinstance(at, int) else at
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else ""


def age(since: int, now: int) -> str:
    """Return the age of `since` in the largest unit that fits."""
    seconds = max(0, now - since) // 1_000_000
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {word(unit)}"
    return f"{seconds} {word('s')}"
