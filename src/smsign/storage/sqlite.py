"""SQLite: statements inline, commits in groups, long reads on a thread.

A statement on a warm page costs some 10 µs, less than a hop to a thread, so it runs on the event loop.
Only what waits for the disk or for another process leaves it: COMMIT, a contended BEGIN IMMEDIATE, and
the reads of `scan`.

Group commit: changes queue up; one task drains the queue. It opens a transaction, runs each change in
a savepoint of its own, commits once with `synchronous=FULL`, and only then answers them all. A change
that raises rolls back to its savepoint and harms no other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import apsw

from smsign.errors import Conflict, StorageError
from smsign.storage.db import Change, Row, Tx, fill

T = TypeVar("T")

FRAGMENTS = (
    ("int", "INTEGER"),
    ("bytes", "BLOB"),
    ("id", "INTEGER PRIMARY KEY AUTOINCREMENT"),
    ("strict", "STRICT"),
    ("clustered", "STRICT, WITHOUT ROWID"),
    ("lock", ""),
)
BATCH_MAX = 256
BUSY_TIMEOUT_MS = 20_000


@cache
def _text(sql: str) -> str:
    # SQLite numbers `$1` by first appearance; `?1` means the first argument wherever it stands.
    return fill(sql, FRAGMENTS).replace("$", "?")


def _translate(error: Exception) -> Exception:
    if isinstance(error, apsw.ConstraintError) and "UNIQUE" in str(error):
        return Conflict(str(error).rpartition(": ")[2])
    return StorageError(f"SQLite: {error}")


class _Reader:
    """Statements on one connection, on the event loop."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._execute = connection.execute

    async def one(self, sql: str, *args: Any) -> Row | None:
        try:
            row: Row | None = next(self._execute(_text(sql), args), None)
        except apsw.Error as error:
            raise _translate(error) from error
        return row

    async def all(self, sql: str, *args: Any) -> Sequence[Row]:
        try:
            return list(self._execute(_text(sql), args))
        except apsw.Error as error:
            raise _translate(error) from error


class _Snapshot(_Reader):
    """Point reads in one read transaction: half the locking of one for each."""

    async def __aenter__(self) -> _Snapshot:
        try:
            self._execute("BEGIN")
        except apsw.Error as error:
            raise _translate(error) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        self._execute("ROLLBACK")  # nothing was changed, and this cannot fail


class _Tx(_Reader):
    async def run(self, sql: str, *args: Any) -> None:
        try:
            self._execute(_text(sql), args)
        except apsw.Error as error:
            raise _translate(error) from error


class _ThreadReader:
    """Statements on a connection of their own, on a thread of their own."""

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        self._connect = connect
        self._connection: apsw.Connection | None = None
        self._thread = ThreadPoolExecutor(1, "sqlite-scan")

    async def one(self, sql: str, *args: Any) -> Row | None:
        return next(iter(await self.all(sql, *args)), None)

    async def all(self, sql: str, *args: Any) -> Sequence[Row]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._all, sql, args)

    def _all(self, sql: str, args: tuple[Any, ...]) -> Sequence[Row]:
        try:
            if self._connection is None:
                self._connection = self._connect()
            return list(self._connection.execute(_text(sql), args))
        except apsw.Error as error:
            raise _translate(error) from error

    def close(self) -> None:
        self._thread.shutdown()
        if self._connection is not None:
            self._connection.close()


class SqliteDatabase:
    """One file in WAL mode, shared by any number of processes on the machine."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._jobs: deque[tuple[Change[Any], asyncio.Future[Any]]] = deque()
        self._drainer: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "sqlite-commit")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._connect(write=True)
            self._reader = self._connect()
        except (apsw.Error, OSError) as error:
            raise StorageError(f"SQLite: {path}: {error}") from error
        self._tx = _Tx(self._writer)
        self.read = _Reader(self._reader)
        self._snapshot = _Snapshot(self._reader)
        self.scan = _ThreadReader(self._connect)

    def _connect(self, *, write: bool = False) -> apsw.Connection:
        connection = apsw.Connection(str(self._path), statementcachesize=128)
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "cache_size = -8000",
            "mmap_size = 1073741824",
            *(() if write else ("query_only = ON",)),
        ):
            for _ in connection.execute(f"PRAGMA {pragma}"):
                pass
        return connection

    def snapshot(self) -> _Snapshot:
        """Return the reader of one moment; its reads never wait, so no two moments overlap."""
        return self._snapshot

    async def write(self, change: Change[T]) -> T:
        """Queue `change` for the next group commit; return its answer once that is on disk."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.append((change, answer))
        if self._drainer is None:
            self._drainer = asyncio.create_task(self._drain())
        return await answer

    async def _drain(self) -> None:
        try:
            while self._jobs:
                try:
                    await self._begin()
                except apsw.Error as error:
                    while self._jobs:
                        _settle(self._jobs.popleft()[1], None, _translate(error))
                    return
                await self._run_batch()
        finally:
            self._drainer = None

    async def _run_batch(self) -> None:
        done: list[tuple[asyncio.Future[Any], Any, Exception | None]] = []
        taken: asyncio.Future[Any] | None = None
        try:
            while self._jobs and len(done) < BATCH_MAX:
                change, taken = self._jobs.popleft()
                if not taken.done():  # else: its caller has gone away before its turn
                    done.append((taken, *await self._run(change)))
                    taken = None
                if not self._jobs:
                    await asyncio.sleep(0)  # let those join who are ready to
            await self._hop(self._commit)
        except Exception as error:  # the batch is lost, and each of its callers must hear of it
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            lost = _translate(error)
            done = [(answer, None, failed or lost) for answer, _, failed in done]
            if taken is not None:
                done.append((taken, None, lost))
        for answer, value, failed in done:
            _settle(answer, value, failed)

    async def _run(self, change: Change[T]) -> tuple[T | None, Exception | None]:
        self._writer.execute("SAVEPOINT change")
        value, failed = None, None
        try:
            value = await change(self._tx)
        except Exception as error:
            self._writer.execute("ROLLBACK TO change")
            failed = error
        self._writer.execute("RELEASE change")
        return value, failed

    async def _begin(self) -> None:
        self._writer.set_busy_timeout(0)
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except apsw.BusyError:  # another process is writing: wait for it, but not here
            self._writer.set_busy_timeout(BUSY_TIMEOUT_MS)
            await self._hop(self._begin_waiting)

    def _begin_waiting(self) -> None:
        self._writer.execute("BEGIN IMMEDIATE")

    def _commit(self) -> None:
        self._writer.execute("COMMIT")

    async def _hop(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def lock_schema(self, tx: Tx) -> None:
        """Do nothing: BEGIN IMMEDIATE holds the others off already."""

    async def close(self) -> None:
        """Commit what is queued, then close all connections."""
        if self._drainer is not None:
            await self._drainer
        self._thread.shutdown()
        self.scan.close()
        self._reader.close()
        self._writer.close()


def _settle(answer: asyncio.Future[Any], value: object, failed: Exception | None) -> None:
    if answer.done():
        return
    if failed is not None:
        answer.set_exception(failed)
    else:
        answer.set_result(value)
