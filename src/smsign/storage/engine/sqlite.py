"""SQLite: statements inline, commits in groups, long reads on a thread.

A statement on a warm page costs some 10 µs, less than a hop to a thread, so it runs on the event loop.
Only what waits for the disk or for another process leaves it: COMMIT, a contended BEGIN IMMEDIATE, and
the reads of `scan` and `watch`.

Group commit: changes queue up; one task drains the queue. It opens a transaction, runs the changes one
after the other, commits once with `synchronous=FULL`, and only then answers them all. A change that
raises before it wrote anything is left out; if it had written, the batch is rolled back and run again,
each change in a savepoint of its own, so that it harms no other. After some errors of the disk SQLite
gives the whole transaction up by itself: then nothing more is run, and all of the batch hear of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import apsw

from smsign.errors import StorageError
from smsign.storage.engine.deferred import Deferred
from smsign.storage.engine.protocol import Change, Row, Tx
from smsign.storage.engine.sqlite_reads import Reader, ThreadReader, text_of, translate

T = TypeVar("T")
_Job = tuple[Change[Any], asyncio.Future[Any]]
_Outcome = tuple[Any, Exception | None]

BATCH_MAX = 256
POINT_READ_CACHE_KIB = 128_000
"""Taken only as it fills; a million signatures fit. Measured faster than mapping the file."""

BUSY_TIMEOUT_MS = 20_000


class _HalfWrittenError(Exception):
    """A change failed after it had written: its batch is rolled back and run again, each in a savepoint."""


class _Tx:
    """The open transaction. Rows of `later` are inserted before any statement that touches their table."""

    def __init__(self, connection: apsw.Connection, other: apsw.Connection) -> None:
        self._execute = connection.execute
        self.deferred = Deferred(connection, other)
        self.defers = True

    async def one(self, sql: str, *args: Any) -> Row | None:
        return next(self._run(text_of(sql), args), None)

    async def all(self, sql: str, *args: Any) -> Sequence[Row]:
        return list(self._run(text_of(sql), args))

    async def run(self, sql: str, *args: Any) -> None:
        self._run(text_of(sql), args)

    async def later(self, sql: str, *args: Any) -> None:
        if self.defers:
            self.deferred.add(text_of(sql), args)
        else:
            self._run(text_of(sql), args)

    def _run(self, text: str, args: tuple[Any, ...]) -> Iterator[Row]:
        try:
            if self.deferred.concern(text):
                self.deferred.run()
            return self._execute(text, args)
        except apsw.Error as error:
            raise translate(error) from error


class SqliteDatabase:
    """One file in WAL mode, shared by any number of processes on the machine."""

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
        self._tx = _Tx(self._writer, self._reader)
        self.read = Reader(self._reader)
        self.scan, self.watch = ThreadReader(self._connect), ThreadReader(self._connect)

    def _connect(self, *, write: bool = False, cache_kib: int = 16_000) -> apsw.Connection:
        connection = apsw.Connection(str(self._path), statementcachesize=128)
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        # Plans depend on no bound value: else some statements are prepared anew each time they are run.
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
                        await asyncio.sleep(0)  # let those join who are ready to
                await self._hop(self._finish)
            except _HalfWrittenError:
                self._roll_back()
                await self._begin()
                outcomes = [await self._run_carefully(*job) for job in batch]
                await self._hop(self._finish)
        except Exception as error:  # the batch is lost, and each of its callers must hear of it
            self._roll_back()
            outcomes = [(None, translate(error))] * len(batch)
        for (_, answer), (value, failed) in zip(batch, outcomes, strict=True):
            _resolve(answer, value, failed)

    async def _run(self, change: Change[Any], answer: asyncio.Future[Any]) -> _Outcome:
        """Run one change of a batch.

        Raises: _HalfWrittenError if it failed after it had written; that is rare, most refuse first.
        """
        if answer.done():  # its caller has gone away before its turn
            return None, None
        before = self._writer.total_changes(), len(self._tx.deferred)
        try:
            return await change(self._tx), None
        except Exception as error:
            if not self._writer.in_transaction:
                raise
            wrote = (self._writer.total_changes(), len(self._tx.deferred)) != before
            if wrote or isinstance(error, StorageError):  # changes of the schema are not counted
                raise _HalfWrittenError from error
            return None, error

    async def _run_carefully(self, change: Change[Any], answer: asyncio.Future[Any]) -> _Outcome:
        """Run one change in a savepoint: it copies each page it touches, so not every change is run so."""
        if answer.done():
            return None, None
        self._writer.execute("SAVEPOINT change")
        self._tx.defers = False
        outcome: _Outcome
        try:
            outcome = await change(self._tx), None
        except Exception as error:
            if not self._writer.in_transaction:
                raise
            self._writer.execute("ROLLBACK TO change")
            outcome = None, error
        finally:
            self._tx.defers = True
        self._writer.execute("RELEASE change")
        return outcome

    async def _begin(self) -> None:
        self._writer.set_busy_timeout(0)
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except apsw.BusyError:  # another process is writing: wait for it, but not here
            self._writer.set_busy_timeout(BUSY_TIMEOUT_MS)
            await self._hop(self._begin_waiting)

    def _begin_waiting(self) -> None:
        self._writer.execute("BEGIN IMMEDIATE")

    def _finish(self) -> None:
        try:
            self._tx.deferred.run()
        except Exception as error:  # also what no database was asked yet, like text that is none
            if not self._writer.in_transaction:
                raise
            raise _HalfWrittenError from error
        self._writer.execute("COMMIT")

    def _roll_back(self) -> None:
        self._tx.deferred.drop()
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")

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
        self.watch.close()
        self._reader.close()
        self._writer.close()


def _resolve(answer: asyncio.Future[Any], value: object, failed: Exception | None) -> None:
    if answer.done():
        return
    if failed is not None:
        answer.set_exception(failed)
    else:
        answer.set_result(value)
