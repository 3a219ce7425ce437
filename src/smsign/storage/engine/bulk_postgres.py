"""Bulk access to PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg

from smsign.storage.engine.bulk import IMAGES, META, PAGE, Table, columns, parents_first, quote, select
from smsign.storage.engine.postgres import explain
from smsign.storage.engine.protocol import Row

_HERE = "c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace"
_COLUMNS = f"""SELECT c.relname, a.attname, format_type(a.atttypid, NULL) FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE {_HERE} ORDER BY c.relname, a.attnum"""
_KEYS = f"""SELECT c.relname, a.attname FROM pg_class c
  JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
  CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
  WHERE {_HERE} ORDER BY c.relname, k.place"""
_PARENTS = f"""SELECT c.relname, p.relname FROM pg_class c
  JOIN pg_constraint f ON f.conrelid = c.oid AND f.contype = 'f' JOIN pg_class p ON p.oid = f.confrelid
  WHERE {_HERE}"""
_SEQUENCES = f"""SELECT c.relname, s.name, pg_sequence_last_value(s.name::regclass) FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attidentity <> '' AND NOT a.attisdropped
  CROSS JOIN LATERAL pg_get_serial_sequence(quote_ident(c.relname), a.attname) AS s (name)
  WHERE {_HERE}"""


class PostgresBulk:
    """One connection. With `snapshot` it is read-only and sees the data as of its opening."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._types: dict[tuple[str, str], str] = {}

    @classmethod
    async def open(cls, url: str, *, snapshot: bool) -> PostgresBulk:
        """Connect to `url`.

        Raises: StorageError when the server is unreachable or rejects it.
        """
        with _translated():
            connection = await asyncpg.connect(url)
            if snapshot:
                await connection.transaction(isolation="repeatable_read", readonly=True).start()
                await connection.fetchval("SELECT 1")  # the first statement takes the snapshot
        return cls(connection)

    async def tables(self) -> list[Table]:
        """Return all tables, parents first."""
        with _translated():
            found = await self._connection.fetch(_COLUMNS)
            self._types = {(table, name): kind for table, name, kind in found}
            keys = await self._connection.fetch(_KEYS)
            parents = await self._connection.fetch(_PARENTS)
        return parents_first(
            Table(
                name,
                tuple(column for table, column in self._types if table == name),
                tuple(column for table, column in keys if table == name),
                frozenset(parent for table, parent in parents if table == name),
            )
            for name in {table for table, _ in self._types}
        )

    async def meta(self) -> dict[str, str]:
        """Return the table `meta`."""
        with _translated():
            if await self._connection.fetchval("SELECT to_regclass($1)", META) is None:
                return {}
            return dict(await self._connection.fetch("SELECT name, value FROM meta"))

    async def count(self, table: Table) -> int:
        """Return the number of rows."""
        with _translated():
            return int(await self._connection.fetchval(f"SELECT count(*) FROM {quote(table.name)}"))

    async def last_key(self, table: Table) -> Row | None:
        """Return the greatest primary key, or None."""
        descending = ", ".join(f"{self._by_bytes(table, name)} DESC" for name in table.key)
        sql = f"SELECT {columns(table.key)} FROM {quote(table.name)} ORDER BY {descending} LIMIT 1"
        with _translated():
            row: Row | None = await self._connection.fetchrow(sql)
        return row

    async def pages(
        self, table: Table, *, after: Row | None = None, until: Row | None = None
    ) -> AsyncIterator[list[Row]]:
        """Yield rows in the order of their key."""
        sql, args = select(table, after=after, until=until, by_bytes=self._by_bytes)
        async for page in self._stream(sql, args):
            yield [tuple(row) for row in page]

    async def images(self) -> AsyncIterator[list[str]]:
        """Yield the distinct SHA-256 of all images."""
        async for page in self._stream(IMAGES, ()):
            yield [str(row[0]) for row in page]

    async def _stream(self, sql: str, args: Sequence[Any]) -> AsyncIterator[list[Row]]:
        with _translated():
            async with self._connection.transaction():
                cursor = await self._connection.cursor(sql, *args)
                while page := await cursor.fetch(PAGE):
                    yield page

    async def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert rows, all or none."""
        with _translated():
            await self._connection.copy_records_to_table(table.name, records=rows, columns=table.columns)

    async def sequences(self) -> dict[str, int]:
        """Return, by table, the last id that was ever assigned."""
        with _translated():
            return {table: last for table, _, last in await self._connection.fetch(_SEQUENCES) if last}

    async def raise_sequences(self, last: Mapping[str, int]) -> None:
        """Make sure that no id up to `last` is assigned again."""
        with _translated():
            for table, sequence, here in await self._connection.fetch(_SEQUENCES):
                if (wanted := last.get(table, 0)) > (here or 0):
                    await self._connection.fetchval("SELECT setval($1::regclass, $2)", sequence, wanted)

    async def clear(self, tables: Iterable[Table]) -> None:
        """Delete all rows of `tables`."""
        with _translated():
            await self._connection.execute(f"TRUNCATE {columns(table.name for table in tables)}")

    async def close(self) -> None:
        """Close the connection, and with it the snapshot."""
        await self._connection.close()

    def _by_bytes(self, table: Table, column: str) -> str:
        text = self._types[table.name, column] in ("text", "character varying")
        return quote(column) + (' COLLATE "C"' if text else "")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ValueError) as error:
        raise explain(error) from error
