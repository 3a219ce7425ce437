"""The protocol of bulk access to a database: what a copy and a backup read and write.

Tables and columns are read from the engine's catalog, so no list of them can get out of date. Every table is
read in the order of its primary key, texts by their bytes, which is the same order on every engine; so the
rows in a target tell how far a copy has come.

Only commands use this: unlike those of `Database`, statements on SQLite may block the loop for milliseconds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Protocol

import msgspec

from smsign.storage.engine.protocol import Row

PAGE = 5000
META = "meta"
"""The table of the database's properties. It is not copied: `Bulk.meta` reads it."""

UNFINISHED = "copy"
"""The name in `meta` that marks an unfinished copy; such a database is not served."""

IMAGES = "SELECT DISTINCT sha256 FROM image ORDER BY sha256"


class Table(msgspec.Struct, frozen=True):
    """A table: its columns, its primary key, and the tables that its rows refer to."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    parents: frozenset[str] = frozenset()


class Bulk(Protocol):
    """A connection to one database."""

    async def tables(self) -> list[Table]:
        """Return all tables, parents first."""

    async def meta(self) -> dict[str, str]:
        """Return the table `meta`; empty where there is none."""

    async def count(self, table: Table) -> int:
        """Return the number of rows."""

    async def last_key(self, table: Table) -> Row | None:
        """Return the greatest primary key, or None."""

    def pages(
        self, table: Table, *, after: Row | None = None, until: Row | None = None
    ) -> AsyncIterator[list[Row]]:
        """Yield the rows with keys above `after` and up to `until`, in order, PAGE at a time."""

    def images(self) -> AsyncIterator[list[str]]:
        """Yield the distinct SHA-256 of all images, PAGE at a time."""

    async def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert rows, all or none."""

    async def sequences(self) -> dict[str, int]:
        """Return, by table, the last id that was ever assigned, also to rows deleted since."""

    async def raise_sequences(self, last: Mapping[str, int]) -> None:
        """Make sure that no id up to `last` is assigned again."""

    async def clear(self, tables: Iterable[Table]) -> None:
        """Delete all rows of `tables`."""

    async def close(self) -> None:
        """Close the connection, and with it the snapshot."""


def parents_first(tables: Iterable[Table]) -> list[Table]:
    """Return `tables`, each after those that its rows refer to."""
    named = {table.name: table for table in sorted(tables, key=lambda table: table.name)}
    graph = {name: sorted((table.parents & named.keys()) - {name}) for name, table in named.items()}
    return [named[name] for name in TopologicalSorter(graph).static_order()]


def select(
    table: Table, *, after: Row | None, until: Row | None, by_bytes: Callable[[Table, str], str]
) -> tuple[str, list[object]]:
    """Return the statement that reads `table` in order, and its arguments.

    `by_bytes` returns the expression that orders by a column's bytes.
    """
    key = ", ".join(by_bytes(table, column) for column in table.key)
    bounds, args = [], list[object]()
    for sign, bound in ((">", after), ("<=", until)):
        if bound is not None:
            places = ", ".join(f"${len(args) + n}" for n in range(1, len(bound) + 1))
            bounds.append(f"({key}) {sign} ({places})")
            args += bound
    where = f" WHERE {' AND '.join(bounds)}" if bounds else ""
    return f"SELECT {columns(table.columns)} FROM {quote(table.name)}{where} ORDER BY {key}", args


def columns(names: Iterable[str]) -> str:
    """Return quoted column names, separated by commas."""
    return ", ".join(quote(name) for name in names)


def quote(name: str) -> str:
    """Return a quoted name."""
    return '"' + name.replace('"', '""') + '"'
