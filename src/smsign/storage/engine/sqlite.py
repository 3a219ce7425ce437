"""SQLite: point reads and writes on the event loop, group commit, long reads on a thread.

A statement on a cached page takes some 10 µs, less than handing it to a thread, so it runs on the event loop.
Only what waits for the disk or for another process runs on a thread: COMMIT, a contended BEGIN IMMEDIATE, and
the reads of `scan` and `watch`.

Group commit: changes are queued and one task drains the queue. It opens a transaction, runs the changes one
after the other, commits once with `synchronous=FULL`, and only then resolves their futures. A change that
raises before it wrote anything is skipped. If it had written, the batch is rolled back and run again with
each change in a savepoint. After some disk errors SQLite rolls the whole transaction back by itself: then the
batch ends and each of its changes fails.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import apsw

from smsign.errors import StorageError
from smsign.storage.engine.protocol import Change, Tx
from smsign.storage.engine.sqlite_reads import Reader, ThreadReader, text_of, translate

T = TypeVar("T")
_Job = tuple[Change[Any], asyncio.Future[Any]]
_Outcome = tuple[Any, Exception | None]

BATCH_MAX = 256
POINT_READ_CACHE_KIB = 128_000
"""An upper bound, allocated as it fills; a million signatures fit. Measured faster than mmap."""

BUSY_TIMEOUT_MS = 20_000


class _PartialWriteError(Exception):
    """A change failed after it had written: run its batch again, each change in a savepoint."""


class _Tx(Reader):
    """The open transaction."""

    ledger_key = b""

    async def run(self, sql: str, *args: Any) -> None:
        try:
            self._execute(text_of(sql), args)
        except apsw.Error as error:
            raise translate(error) from error


class SqliteDatabase:
    """One file in WAL mode, shared by any number of processes on one machine."""

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self._path = path
        self._synchronous = "FULL" if durable else "OFF"
        self._jobs: deque[_Job] = deque()
        self._drainer: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "sqlite-commit")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._connect(write=True)
            self._reader = self._connect(cache_kib=POINT_READ_CACHE_KIB)
        except (apsw.Error, OSError) as error:
            raise StorageError(f"SQLite: {path}: {error}") from error
        self._tx = _Tx(self._writer)
        self.read = Reader(self._reader)
        self.scan, self.watch = ThreadReader(self._connect), ThreadReader(self._connect)

    def _connect(self, *, write: bool = False, cache_kib: int = 16_000) -> apsw.Connection:
        connection = apsw.Connection(str(self._path), statementcachesize=128)
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        # Query plans must not depend on bound values: else SQLite prepares some statements at each run.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        for pragma in (
            "journal_mode = WAL",
            f"synchronous = {self._synchronous}",
            f"cache_size = -{cache_kib}",
            "temp_store = MEMORY",
            "foreign_keys = ON" if write else "query_only = ON",
        ):
            for _ in connection.execute(f"PRAGMA {pragma}"):
                pass
        return connection

    @property
    def ledger_key(self) -> bytes:
        """Return the key of the MACs of the audit log."""
        return self._tx.ledger_key

    @ledger_key.setter
    def ledger_key(self, key: bytes) -> None:
        self._tx.ledger_key = key

    async def write(self, change: Change[T]) -> T:
        """Queue `change` for the next group commit; return its result once that is on disk."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.append((change, future))
        if self._drainer is None:
            self._drainer = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        try:
            while self._jobs:
                try:
                    await self._begin()
                except apsw.Error as error:
                    while self._jobs:
                        _resolve(self._jobs.popleft()[1], None, translate(error))
                    return
                await self._run_batch()
        finally:
            self._drainer = None

    async def _run_batch(self) -> None:
        batch: list[_Job] = []
        outcomes: list[_Outcome] = []
        try:
            try:
                while self._jobs and len(batch) < BATCH_MAX:
                    batch.append(self._jobs.popleft())
                    outcomes.append(await self._run(*batch[-1]))
                    if not self._jobs:
                        await asyncio.sleep(0)  # let other tasks that are ready join the batch
            except _PartialWriteError:
                self._roll_back()
                await self._begin()
                outcomes = [await self._run_in_savepoint(*job) for job in batch]
            await self._on_thread("COMMIT")
        except Exception as error:  # the batch is lost: each of its changes fails
            self._roll_back()
            outcomes = [(None, translate(error))] * len(batch)
        for (_, future), (value, failed) in zip(batch, outcomes, strict=True):
            _resolve(future, value, failed)

    async def _run(self, change: Change[Any], future: asyncio.Future[Any]) -> _Outcome:
        """Run one change of a batch.

        Raises: _PartialWriteError if it failed after it had written; rare, since most changes check first.
        """
        if future.done():  # cancelled before its turn
            return None, None
        before = self._writer.total_changes()
        try:
            return await change(self._tx), None
        except Exception as error:
            if not self._writer.in_transaction:
                raise
            wrote = self._writer.total_changes() != before
            if wrote or isinstance(error, StorageError):  # total_changes does not count DDL
                raise _PartialWriteError from error
            return None, error

    async def _run_in_savepoint(self, change: Change[Any], future: asyncio.Future[Any]) -> _Outcome:
        """Run one change in a savepoint. It copies each page that is written, so it is not the normal way."""
        if future.done():
            return None, None
        self._writer.execute("SAVEPOINT change")
        outcome: _Outcome
        try:
            outcome = await change(self._tx), None
        except Exception as error:
            if not self._writer.in_transaction:
                raise
            self._writer.execute("ROLLBACK TO change")
            outcome = None, error
        self._writer.execute("RELEASE change")
        return outcome

    async def _begin(self) -> None:
        self._writer.set_busy_timeout(0)
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except apsw.BusyError:  # another process is writing: wait for it on the thread
            self._writer.set_busy_timeout(BUSY_TIMEOUT_MS)
            await self._on_thread("BEGIN IMMEDIATE")

    def _roll_back(self) -> None:
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")

    async def _on_thread(self, statement: str) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.execute, statement)

    async def lock_schema(self, tx: Tx) -> None:
        """Do nothing: BEGIN IMMEDIATE has locked the database already."""

    async def find_damage(self) -> list[str]:
        """Return damaged pages, and references to rows that do not exist."""
        pages = [str(row[0]) for row in await self.scan.all("PRAGMA quick_check(5)")]
        links = await self.scan.all('SELECT DISTINCT "table", parent FROM pragma_foreign_key_check LIMIT 5')
        dangling = [f"rows of {row[0]} refer to rows of {row[1]} that do not exist" for row in links]
        return [line for line in pages if line != "ok"] + dangling

    async def server_time(self) -> int | None:
        """Return None: there is no server."""
        return None

    async def close(self) -> None:
        """Commit what is queued, then close all connections."""
        if self._drainer is not None:
            await self._drainer
        self._thread.shutdown()
        self.scan.close()
        self.watch.close()
        self._reader.close()
        self._writer.close()


def _resolve(future: asyncio.Future[Any], value: object, failed: Exception | None) -> None:
    if future.done():
        return
    if failed is not None:
        future.set_exception(failed)
    else:
        future.set_result(value)
