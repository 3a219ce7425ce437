"""Readers of a SQLite file, on the event loop and on a thread; SQL fragments and error translation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import apsw

from smsign.errors import Conflict, CorruptText, SmsignError, StorageError
from smsign.storage.engine.protocol import Row, fill

FRAGMENTS = (
    ("int", "INTEGER"),
    ("bytes", "BLOB"),
    ("id", "INTEGER PRIMARY KEY AUTOINCREMENT"),
    ("strict", "STRICT"),
    ("clustered", "STRICT, WITHOUT ROWID"),
    ("lock", ""),
    ("binary", ""),
    ("claim", ""),
)


@cache
def text_of(sql: str) -> str:
    """Return a statement in SQLite's dialect."""
    # SQLite numbers `$1` by first appearance; `?1` is always the first argument.
    return fill(sql, FRAGMENTS).replace("$", "?")


def translate(error: Exception) -> Exception:
    """Return the exception of `smsign.errors` for a driver's error."""
    if isinstance(error, SmsignError):
        return error
    if isinstance(error, apsw.ConstraintError) and "UNIQUE" in str(error):
        return Conflict(str(error).rpartition(": ")[2])
    if isinstance(error, UnicodeDecodeError):
        return CorruptText(
            "SQLite: a row contains bytes that are not text; run: smsign events verify",
            "SQLite：某行含有不是文本的字节；请运行 smsign events verify",
        )
    return StorageError(f"SQLite: {error}")


class Reader:
    """Statements on one connection, on the event loop."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._execute = connection.execute

    async def one(self, sql: str, *args: Any) -> Row | None:
        """Return the first row, or None."""
        try:
            row: Row | None = next(self._execute(text_of(sql), args), None)
        except (apsw.Error, UnicodeDecodeError) as error:
            raise translate(error) from error
        return row

    async def all(self, sql: str, *args: Any) -> Sequence[Row]:
        """Return all rows."""
        try:
            return list(self._execute(text_of(sql), args))
        except (apsw.Error, UnicodeDecodeError) as error:
            raise translate(error) from error


class ThreadReader:
    """Statements on a separate connection, on a separate thread."""

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        self._connect = connect
        self._connection: apsw.Connection | None = None
        self._thread = ThreadPoolExecutor(1, "sqlite-scan")

    async def one(self, sql: str, *args: Any) -> Row | None:
        """Return the first row, or None."""
        return next(iter(await self.all(sql, *args)), None)

    async def all(self, sql: str, *args: Any) -> Sequence[Row]:
        """Return all rows."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._all, sql, args)

    def _all(self, sql: str, args: tuple[Any, ...]) -> Sequence[Row]:
        try:
            if self._connection is None:
                self._connection = self._connect()
            return list(self._connection.execute(text_of(sql), args))
        except (apsw.Error, UnicodeDecodeError) as error:
            raise translate(error) from error

    def close(self) -> None:
        """Wait for the running statement, then close the connection."""
        self._thread.shutdown()
        if self._connection is not None:
            self._connection.close()
