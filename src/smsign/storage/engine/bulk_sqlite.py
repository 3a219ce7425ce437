"""Bulk access to SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import apsw

from smsign.errors import StorageError
from smsign.storage.engine.bulk import IMAGES, META, PAGE, Table, columns, parents_first, quote, select
from smsign.storage.engine.protocol import Row

BUSY_TIMEOUT_MS = 20_000
_NAMES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
_COLUMNS = "SELECT name, pk FROM pragma_table_info(?) ORDER BY cid"
_PARENTS = 'SELECT DISTINCT "table" FROM pragma_foreign_key_list(?)'


class SqliteBulk:
    """One file. With `snapshot` it is read-only and sees the data as of its opening."""

    def __init__(self, path: Path, *, snapshot: bool) -> None:
        with _translated():
            if snapshot:
                self._connection = _open(path)
                self._all("PRAGMA query_only = ON")
                self._all("BEGIN")
                self._all("SELECT count(*) FROM sqlite_schema")  # the first statement takes the snapshot
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._connection = apsw.Connection(str(path))
                self._connection.set_busy_timeout(BUSY_TIMEOUT_MS)
                self._all("PRAGMA journal_mode = WAL")
                # A power cut may lose the last commits, never one in between: the rows still tell how far
                # the copy has come. Dangling references in the source are copied as they are.
                self._all("PRAGMA synchronous = NORMAL")
                self._all("PRAGMA foreign_keys = OFF")

    async def tables(self) -> list[Table]:
        """Return all tables, parents first."""
        with _translated():
            return parents_first(self._table(str(row[0])) for row in self._all(_NAMES))

    def _table(self, name: str) -> Table:
        found = self._all(_COLUMNS, name)
        key = sorted((place, column) for column, place in found if place)
        return Table(
            name,
            tuple(column for column, _ in found),
            tuple(column for _, column in key),
            frozenset(str(row[0]) for row in self._all(_PARENTS, name)),
        )

    async def meta(self) -> dict[str, str]:
        """Return the table `meta`."""
        with _translated():
            if not self._all(f"{_NAMES} AND name = ?", META):
                return {}
            return dict(self._all("SELECT name, value FROM meta"))

    async def count(self, table: Table) -> int:
        """Return the number of rows."""
        with _translated():
            return int(self._all(f"SELECT count(*) FROM {quote(table.name)}")[0][0])

    async def last_key(self, table: Table) -> Row | None:
        """Return the greatest primary key, or None."""
        key, descending = columns(table.key), ", ".join(f"{quote(name)} DESC" for name in table.key)
        with _translated():
            found = self._all(f"SELECT {key} FROM {quote(table.name)} ORDER BY {descending} LIMIT 1")
        return found[0] if found else None

    async def pages(
        self, table: Table, *, after: Row | None = None, until: Row | None = None
    ) -> AsyncIterator[list[Row]]:
        """Yield rows in the order of their key."""
        sql, args = select(table, after=after, until=until, by_bytes=lambda _, column: quote(column))
        for page in self._stream(sql.replace("$", "?"), args):
            yield page

    async def images(self) -> AsyncIterator[list[str]]:
        """Yield the distinct SHA-256 of all images."""
        for page in self._stream(IMAGES, ()):
            yield [str(row[0]) for row in page]

    def _stream(self, sql: str, args: Sequence[Any]) -> Iterator[list[Row]]:
        with _translated():
            cursor = self._connection.cursor()
            try:
                rows = cursor.execute(sql, args)
                while page := list(islice(rows, PAGE)):
                    yield page
            finally:
                cursor.close()

    async def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert rows, all or none."""
        places = ", ".join("?" * len(table.columns))
        sql = f"INSERT INTO {quote(table.name)} ({columns(table.columns)}) VALUES ({places})"
        with _translated(), self._connection:
            self._connection.executemany(sql, (tuple(row) for row in rows))

    async def sequences(self) -> dict[str, int]:
        """Return, by table, the last id that was ever assigned."""
        with _translated():
            return dict(self._all("SELECT name, seq FROM sqlite_sequence WHERE seq > 0"))

    async def raise_sequences(self, last: Mapping[str, int]) -> None:
        """Make sure that no id up to `last` is assigned again."""
        with _translated(), self._connection:
            for table, seq in last.items():
                self._all("UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1", table, seq)
                if not self._connection.changes():
                    self._all("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)", table, seq)

    async def clear(self, tables: Iterable[Table]) -> None:
        """Delete all rows of `tables`."""
        with _translated(), self._connection:
            for table in tables:
                self._all(f"DELETE FROM {quote(table.name)}")

    async def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _all(self, sql: str, *args: object) -> list[Any]:
        return list(self._connection.execute(sql, args))


def vacuum_into(path: Path, file: Path) -> None:
    """Write a snapshot of the database in `path` to a new file, while other processes may write to it.

    Raises: StorageError.
    """
    with _translated():
        connection = _open(path)
        try:
            for _ in connection.execute("VACUUM INTO ?", (str(file),)):
                pass
        finally:
            connection.close()


def finalize(file: Path) -> None:
    """Turn a finished database into a single file, without a write-ahead log.

    Raises: StorageError when pages are damaged.
    """
    with _translated():
        connection = apsw.Connection(str(file))
        try:
            for _ in connection.execute("PRAGMA journal_mode = DELETE"):
                pass
            [(verdict,)] = connection.execute("PRAGMA quick_check(1)")
        finally:
            connection.close()
    if verdict != "ok":
        raise StorageError(f"SQLite: {file}: {verdict}")


def _open(path: Path) -> apsw.Connection:
    # In WAL mode readers write to the -shm file; where that is not permitted, open read-only.
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.CantOpenError:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    return connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (apsw.Error, OSError) as error:
        raise StorageError(f"SQLite: {error}") from error
