"""A PostgreSQL server that is there and says nothing, as one whose machine has stalled."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import pytest

from smsign.errors import StorageError
from smsign.storage.engine import postgres
from smsign.storage.engine.postgres import PostgresDatabase
from smsign.storage.engine.protocol import Tx
from smsign.storage.open import open_database
from tests.api import raw
from tests.running import Server, run_apart

pytestmark = [pytest.mark.postgres, pytest.mark.process]
ENGINE = pytest.mark.parametrize(
    "engine", [pytest.param("postgres", marks=pytest.mark.postgres)], scope="session", indirect=True
)


@contextmanager
def silent(url: str) -> Iterator[None]:
    """Stop the processes that serve the database, and the one that would start more of them."""
    pids = run_apart(lambda: _backends(url))
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def _backends(url: str) -> list[int]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        postmaster = await connection.fetchval("SELECT pg_read_file('postmaster.pid')")
    finally:
        await connection.close()
    return [int(postmaster.split()[0]), *(row[0] for row in rows)]


@pytest.fixture
async def db(
    make_database_url: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[PostgresDatabase, str]]:
    monkeypatch.setattr(postgres, "STATEMENT_TIMEOUT_S", 0.5)
    url = await asyncio.to_thread(make_database_url, tmp_path)
    opened = await PostgresDatabase.open(url, pool_size=2)
    yield opened, url
    await opened.close()


@asynccontextmanager
async def given_up() -> AsyncIterator[None]:
    started = time.monotonic()
    with pytest.raises(StorageError):
        yield
    assert time.monotonic() - started < 4


@ENGINE
async def test_reads_and_changes_time_out_sooner_than_scans(
    db: tuple[PostgresDatabase, str],
) -> None:
    here, url = db
    await here.write(lambda tx: tx.run("CREATE TABLE t (a INT)"))

    async def change(tx: Tx) -> None:
        with silent(url):
            await tx.run("INSERT INTO t VALUES (1)")

    async with given_up():
        await here.write(change)
    with silent(url):
        scan = asyncio.create_task(here.scan.one("SELECT 1"))
        await asyncio.sleep(0.1)
        async with given_up():
            await here.read.one("SELECT 2")
        async with given_up():
            await here.write(lambda tx: tx.run("INSERT INTO t VALUES (1)"))
        assert not scan.done()
    assert await scan == (1,)
    assert await here.read.one("SELECT count(*) FROM t") == (0,)


@ENGINE
async def test_a_statement_can_be_cancelled_while_the_server_does_not_respond(
    db: tuple[PostgresDatabase, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "STATEMENT_TIMEOUT_S", 30)
    here, url = db
    with silent(url):
        for asked in (here.scan.one("SELECT 1"), here.write(lambda tx: tx.one("SELECT 1"))):
            task = asyncio.create_task(asked)
            await asyncio.sleep(0.1)
            task.cancel()
            started = time.monotonic()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert time.monotonic() - started < 4


@ENGINE
async def test_a_slow_statement_times_out_unless_it_is_a_migration(
    db: tuple[PostgresDatabase, str],
) -> None:
    here, _ = db

    async def migration(tx: Tx) -> object:
        await here.lock_schema(tx)
        return await tx.one("SELECT 1 FROM pg_sleep(1)")

    async with given_up():
        await here.write(lambda tx: tx.one("SELECT 1 FROM pg_sleep(1)"))
    assert await here.write(migration) == (1,)


@ENGINE
async def test_closing_does_not_wait_for_a_server_that_does_not_respond(
    db: tuple[PostgresDatabase, str],
) -> None:
    here, url = db
    other = await open_database(url, pool_size=1)
    reading = asyncio.create_task(here.read.one("SELECT 1 FROM pg_sleep(1)"))
    await asyncio.sleep(0.1)
    with silent(url):
        started = time.monotonic()
        await other.close()
        await here.close()
        assert time.monotonic() - started < 4
    with pytest.raises(StorageError):
        await reading


@ENGINE
@pytest.mark.parametrize("stop_timeout", [pytest.param(2, marks=pytest.mark.slow), 20])
def test_shutdown_is_in_time_while_the_database_does_not_respond(
    start: Callable[..., Server], stop_timeout: int
) -> None:
    """Also with a request in flight, if its statement may be given up within the time of a stop."""
    server = start(stop_timeout=stop_timeout)
    app = server.make_app()
    asked = raw.request("GET", "/v1/sign/1", auth=raw.basic(app))
    with silent(server.env["SMSIGN_DATABASE"]), socket.create_connection(("127.0.0.1", server.port)) as one:
        if stop_timeout > postgres.STATEMENT_TIMEOUT_S:
            one.sendall(asked)
        time.sleep(1.5)  # the tasks ask too by now
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < stop_timeout + 3
    assert "Killing" not in server.log.read_text()
