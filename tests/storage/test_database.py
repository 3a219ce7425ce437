"""The two engines behind one text of SQL: transactions, group commit, migrations, keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from smsign.config import Settings
from smsign.errors import Conflict, SetupError, StorageError
from smsign.storage.engine.migrate import migrate, migrations, put_meta
from smsign.storage.engine.protocol import Tx
from smsign.storage.open import Stores, open_database, open_stores
from smsign.storage.rows import accounts, apps, outbox
from smsign.storage.rows import signatures as rows
from tests.steps import make_app, submit

POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)


async def _put(tx: Tx, name: str, value: str = "x") -> str:
    await tx.run("INSERT INTO meta (name, value) VALUES ($1, $2)", name, value)
    return name


async def _count(stores: Stores, prefix: str) -> int:
    row = await stores.db.read.one("SELECT count(*) FROM meta WHERE name LIKE $1", prefix + "%")
    assert row is not None
    return int(row[0])


async def test_a_failing_change_does_not_affect_others_in_its_batch(stores: Stores) -> None:
    async def bad(tx: Tx) -> None:
        await _put(tx, "bad")
        raise ValueError("no")

    writes = [stores.db.write(partial(_put, name=f"good{n}")) for n in range(40)]
    writes.insert(20, stores.db.write(bad))  # type: ignore[arg-type]
    answers = await asyncio.gather(*writes, return_exceptions=True)
    assert sum(isinstance(answer, ValueError) for answer in answers) == 1
    assert await _count(stores, "good") == 40
    assert await _count(stores, "bad") == 0


async def test_a_cancelled_caller_does_not_affect_others_in_its_batch(stores: Stores) -> None:
    tasks = [asyncio.create_task(stores.db.write(partial(_put, name=f"c{n}"))) for n in range(20)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    tasks[10].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(answer, str) for answer in answers) >= 18
    assert await stores.db.write(lambda tx: _put(tx, "after")) == "after"


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
async def test_a_change_cancelled_while_queued_is_not_made(stores: Stores) -> None:
    tasks = [asyncio.create_task(stores.db.write(partial(_put, name=f"c{n}"))) for n in range(3)]
    await asyncio.sleep(0)  # all are queued, and none has begun
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [await _count(stores, f"c{n}") for n in range(3)] == [1, 0, 1]


async def test_a_violated_unique_index_raises_conflict(stores: Stores) -> None:
    await stores.db.write(lambda tx: _put(tx, "one"))
    with pytest.raises(Conflict):
        await stores.db.write(lambda tx: _put(tx, "one"))


async def test_invalid_sql_raises_storage_error_and_changes_nothing(stores: Stores) -> None:
    async def bad(tx: Tx) -> None:
        await _put(tx, "half")
        await tx.run("INSERT INTO none_such (x) VALUES (1)")

    with pytest.raises(StorageError):
        await stores.db.write(bad)
    assert await _count(stores, "half") == 0
    with pytest.raises(StorageError):
        await stores.db.scan.all("SELECT x FROM none_such")


async def test_ids_are_never_reused(stores: Stores, settings: Settings) -> None:
    async def insert(tx: Tx) -> tuple[int, bool] | None:
        await tx.run(
            """INSERT INTO app (name, app_key, secret_mac, secret_sealed, sms_open, use_by_hand, created_at)
            VALUES ('a', 'k', $1, $1, 1, 0, 1) ON CONFLICT DO NOTHING""",
            b"x",
        )
        row = await tx.one("SELECT id FROM app WHERE name = 'a'")
        assert row is not None
        return await rows.insert(tx, row[0], content="签名", now=1)

    async def remove(tx: Tx) -> None:
        await tx.run("DELETE FROM signature")

    first = await stores.db.write(insert)
    assert first is not None
    assert await stores.db.write(insert) is None, "one in the audit"
    await stores.db.write(remove)
    again = await open_stores(settings)
    second = await again.db.write(insert)
    await again.close()
    assert second is not None
    assert second[0] > first[0]


async def test_concurrent_migrations_succeed(
    make_database_url: Callable[[Path], str], tmp_path: Path
) -> None:
    url = await asyncio.to_thread(make_database_url, tmp_path)
    opened = [await open_database(url, pool_size=2) for _ in range(4)]
    taken = await asyncio.gather(*(migrate(db) for db in opened))
    assert sum(taken) == len(migrations())
    for db in opened:
        await db.close()


async def test_a_newer_schema_is_not_opened(stores: Stores, settings: Settings) -> None:
    await stores.db.write(lambda tx: put_meta(tx, "schema", "999"))
    with pytest.raises(SetupError, match="newer smsign"):
        await open_stores(settings)


@pytest.mark.parametrize("url", ["mysql://x", "sqlite:", "nonsense"])
async def test_an_unknown_database_scheme_is_named(url: str) -> None:
    with pytest.raises(SetupError, match="sqlite:PATH or postgresql"):
        await open_database(url, pool_size=1)


async def test_an_unreachable_database_server_is_a_readable_error() -> None:
    with pytest.raises(StorageError, match="cannot connect"):
        await open_database("postgresql://nobody@127.0.0.1:1/none", pool_size=1)


@pytest.mark.parametrize("password", ["s3cret/x", "s3cret#x", "s3cret?x", "s3cret@x:y"])
async def test_an_invalid_url_is_not_printed_with_its_password(password: str) -> None:
    with pytest.raises(SetupError, match="%2F for /") as reported:
        await open_database(f"postgresql://smsign:{password}@127.0.0.1:1/none", pool_size=1)
    assert "cret" not in str(reported.value)
    assert reported.value.__cause__ is None


@pytest.mark.parametrize("engine", [POSTGRES], scope="session", indirect=True)
async def test_a_change_succeeds_while_the_schema_changes(stores: Stores, settings: Settings) -> None:
    """As during an upgrade: what was prepared before does not fit any more."""

    async def change(tx: Tx) -> object:
        return await tx.one("SELECT value FROM meta WHERE name = 'schema'")

    before = await stores.db.write(change)
    other = await open_database(settings.database_url, pool_size=1)
    await other.write(lambda tx: tx.run("ALTER TABLE meta ALTER COLUMN value TYPE VARCHAR(100)"))
    await other.close()
    assert await stores.db.write(change) == before


@pytest.mark.parametrize("engine", [POSTGRES], scope="session", indirect=True)
@pytest.mark.parametrize("noun", ["signature", "app", "account", "signature of the outbox"])
async def test_a_locked_row_stays_locked_until_the_transaction_ends(stores: Stores, noun: str) -> None:
    app = await make_app(stores)
    sign_id = await submit(stores, app)

    async def insert(tx: Tx) -> int:
        return await accounts.insert(tx, name="auditor", roles="auditor", password="x", now=1)

    account_id = await stores.db.write(insert)
    locks: dict[str, Callable[[Tx], Awaitable[object]]] = {
        "signature": lambda tx: rows.lock(tx, app.id, sign_id),
        "app": lambda tx: apps.lock(tx, app.id),
        "account": lambda tx: accounts.lock(tx, account_id),
        "signature of the outbox": lambda tx: outbox.lock_signature(tx, sign_id),
    }
    held, over = asyncio.Event(), asyncio.Event()

    async def hold(tx: Tx) -> None:
        await locks[noun](tx)
        held.set()
        await over.wait()

    first = asyncio.create_task(stores.db.write(hold))
    await held.wait()
    second = asyncio.create_task(stores.db.write(locks[noun]))
    done, _ = await asyncio.wait({second}, timeout=0.3)
    over.set()
    await asyncio.gather(first, second)
    assert not done, "another transaction held it as well"


@pytest.mark.parametrize("engine", [POSTGRES], scope="session", indirect=True)
async def test_a_lost_connection_fails_its_own_change_only(stores: Stores) -> None:
    async def lose(tx: Tx) -> None:
        await _put(tx, "lost")
        await tx.one("SELECT pg_terminate_backend(pg_backend_pid())")

    async def give_up(tx: Tx) -> None:
        await _put(tx, "given-up")
        await tx.one("SELECT pg_sleep(20)")

    with pytest.raises(StorageError):
        await stores.db.write(lose)
    task = asyncio.create_task(stores.db.write(give_up))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await stores.db.write(lambda tx: _put(tx, "next")) == "next"
    assert [await _count(stores, name) for name in ("lost", "given-up", "next")] == [0, 0, 1]


@pytest.mark.parametrize("engine", [POSTGRES], scope="session", indirect=True)
async def test_a_pooler_without_prepared_statements_is_named(settings: Settings) -> None:
    """As PgBouncer does between two transactions: the next one is on a connection that knows of nothing."""
    db = await open_database(settings.database_url, pool_size=1)

    async def forget(tx: Tx) -> None:
        for _ in range(2):
            await tx.one("SELECT 1 AS pooled")
            await tx.run("DEALLOCATE ALL")

    with pytest.raises(StorageError, match=r"session pooling, or .*max_prepared_statements"):
        await db.write(forget)
    await db.close()
