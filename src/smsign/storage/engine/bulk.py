"""Whole databases, row by row: what a copy and a backup read and write.

The tables are read from the engine itself, so that no list of them can go stale. Every table is walked in
the order of its primary key, texts by their bytes, which is the same order on every engine; so what a
target holds says how far a copy into it has come. Names in statements are the schema's own, quoted.

A command has a loop of its own: unlike in `db`, statements on SQLite may hold it up for some milliseconds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Protocol

import msgspec

from smsign.storage.engine.protocol import Row

PAGE = 5000
META = "meta"
"""The table that a database describes itself in. It is no part of the data: `meta()` reads it."""

UNFINISHED = "copy"
"""What `meta` bears while a copy into the database is not finished; such a database is not served."""

IMAGES = "SELECT DISTINCT sha256 FROM image ORDER BY sha256"


class Table(msgspec.Struct, frozen=True):
    """A table: its columns, its primary key, and the tables that its rows refer to."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    parents: frozenset[str] = frozenset()


class Bulk(Protocol):
    """A connection to one database, for rows by the thousand."""

    async def tables(self) -> list[Table]:
        """Return all tables, each behind those that its rows refer to."""

    async def meta(self) -> dict[str, str]:
        """Return what the database says of itself; empty where there is no such table."""

    async def count(self, table: Table) -> int:
        """Return how many rows there are."""

    async def last_key(self, table: Table) -> Row | None:
        """Return the greatest primary key, or None."""

    def pages(
        self, table: Table, *, after: Row | None = None, until: Row | None = None
    ) -> AsyncIterator[list[Row]]:
        """Yield the rows by their key, PAGE at a time: those above `after`, up to `until`."""

    def images(self) -> AsyncIterator[list[str]]:
        """Yield the SHA-256 of each image that a row names, once, PAGE at a time."""

    async def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Add rows, all or none."""

    async def sequences(self) -> dict[str, int]:
        """Return, by table, the last id that was ever given out, also to rows that are gone."""

    async def raise_sequences(self, last: Mapping[str, int]) -> None:
        """Make sure that no id up to `last` is given out again."""

    async def clear(self, tables: Iterable[Table]) -> None:
        """Remove all rows of `tables`."""

    async def close(self) -> None:
        """Let go of the connection, and of the moment that it looks at."""


def in_order(tables: Iterable[Table]) -> list[Table]:
    """Return `tables`, each behind those that its rows refer to."""
    named = {table.name: table for table in sorted(tables, key=lambda table: table.name)}
    graph = {name: sorted((table.parents & named.keys()) - {name}) for name, table in named.items()}
    return [named[name] for name in TopologicalSorter(graph).static_order()]


def select(
    table: Table, *, after: Row | None, until: Row | None, by_bytes: Callable[[Table, str], str]
) -> tuple[str, list[object]]:
    """Return the statement that walks `table`, and its arguments.

    `by_bytes` returns a column of the key as an expression that the engine orders by its bytes.
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
    """Return column names as they stand in a statement."""
    return ", ".join(quote(name) for name in names)


def quote(name: str) -> str:
    """Return a name of the schema as it stands in a statement."""
    return '"' + name.replace('"', '""') + '"'
