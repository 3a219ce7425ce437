"""SQLite on a disk that fails: a change that was answered with an error left nothing behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import apsw
import pytest

from smsign import config
from smsign.actions import apps, audits, ledger, signatures
from smsign.domain.signatures import Rules, Status
from smsign.errors import StorageError
from smsign.storage.engine.protocol import Change, Tx
from smsign.storage.engine.sqlite import SqliteDatabase
from smsign.storage.open import Stores, open_stores


class _Disk(apsw.VFS):
    """The machine's own, but one kind of call can be made to fail."""

    def __init__(self) -> None:
        super().__init__("failing", "unix", makedefault=True)
        self.failing = ""

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return _File(self, name, flags)


class _File(apsw.VFSFile):
    def __init__(self, disk: _Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._disk = disk

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
        self._fail("read", apsw.IOError)
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._fail("write", apsw.FullError)
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._fail("sync", apsw.IOError)
        super().xSync(flags)

    def _fail(self, kind: str, error: type[apsw.Error]) -> None:
        if self._disk.failing == kind:
            raise error(f"this {kind} fails")


@pytest.fixture
def disk() -> Iterator[_Disk]:
    before = apsw.vfs_names()[0]
    failing = _Disk()
    yield failing
    failing.unregister()
    assert apsw.vfs_names()[0] == before


@pytest.fixture
async def stores(disk: _Disk, tmp_path: Path) -> AsyncIterator[Stores]:
    opened = await open_stores(config.load({"data": str(tmp_path)}, {}))
    yield opened
    disk.failing = ""
    await opened.close()


async def _put(tx: Tx, name: str) -> str:
    await tx.run("INSERT INTO meta (name, value) VALUES ($1, 'x')", name)
    return name


async def _names(stores: Stores) -> set[str]:
    return {str(row[0]) for row in await stores.db.read.all("SELECT name FROM meta WHERE value = 'x'")}


@pytest.mark.parametrize("kind", ["write", "sync"])
async def test_a_failed_commit_is_an_error_for_the_whole_batch_and_changes_nothing(
    stores: Stores, disk: _Disk, kind: str
) -> None:
    disk.failing = kind
    writes = (stores.db.write(partial(_put, name=f"n{n}")) for n in range(20))
    answers = await asyncio.gather(*writes, return_exceptions=True)
    disk.failing = ""
    assert {str(answer) for answer in answers} == {f"SQLite: this {kind} fails"}
    assert await _names(stores) == set()
    assert await stores.db.write(partial(_put, name="after")) == "after"
    assert await _names(stores) == {"after"}


async def test_a_failed_read_ends_the_batch_and_no_change_is_half_written(
    stores: Stores, disk: _Disk
) -> None:
    """SQLite rolls all of it back by itself; what ran on would be committed statement by statement."""
    database = stores.db
    assert isinstance(database, SqliteDatabase)

    async def unread(tx: Tx) -> None:
        for _ in database._writer.execute("PRAGMA shrink_memory"):
            pass
        disk.failing = "read"
        try:
            await tx.all("SELECT name FROM app")
        finally:
            disk.failing = ""

    async def refused(tx: Tx) -> None:
        await _put(tx, "refused")
        raise ValueError("no")

    changes: list[Change[str | None]] = [partial(_put, name=f"n{n}") for n in range(6)]
    changes[3:3] = [unread]
    changes += [refused]
    answers = await asyncio.gather(*map(database.write, changes), return_exceptions=True)
    reported = {answer for answer in answers if isinstance(answer, str)}
    assert isinstance(answers[3], StorageError)
    assert "this read fails" in str(answers[3])
    assert all("this read fails" in str(answer) for answer in answers[:3])
    assert isinstance(answers[-1], ValueError)
    assert await _names(stores) == reported


async def test_a_failed_migration_is_rolled_back(stores: Stores) -> None:
    async def step(tx: Tx) -> None:
        await tx.run("CREATE TABLE half (x INTEGER)")
        await tx.run("CREATE INDEX half_way ON none_such (x)")

    with pytest.raises(StorageError, match="none_such"):
        await stores.db.write(step)
    assert await stores.db.read.all("SELECT name FROM sqlite_master WHERE name = 'half'") == []


async def test_invalid_text_fails_its_own_change_only(stores: Stores) -> None:
    names = ["a", "b\ud800", "c"]
    answers = await asyncio.gather(
        *(stores.db.write(partial(_put, name=name)) for name in names), return_exceptions=True
    )
    assert (answers[0], answers[2]) == ("a", "c")
    assert isinstance(answers[1], UnicodeEncodeError)
    assert await _names(stores) == {"a", "c"}


async def test_a_submission_decided_by_the_sandbox_runs_once(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The decision's parent, the version, is one of the rows on their way: it goes first."""
    now = 1_700_000_000_000_000
    app = await apps.create(
        stores.db,
        stores.vault,
        name="test",
        keys=apps.make_keys(),
        use_by_hand=False,
        actor="test:builder",
        now=now,
        test_delay_ms=0,
    )

    async def run_again(*_: object) -> None:
        raise AssertionError("the batch was run a second time")

    monkeypatch.setattr(SqliteDatabase, "_run_in_savepoint", run_again)
    sign_id = await signatures.submit(
        stores.db,
        stores.blobs,
        Rules(),
        app=app,
        fields={"sign": "极光推送"},
        uploads=(),
        actor="test:app",
        now=now,
    )
    with pytest.raises(Exception, match="passed"):
        await audits.decide(stores.db, signature_id=sign_id, passed=True, actor="test:auditor", now=now)
    assert (await ledger.verify(stores.db)).fault is None
    row = await stores.db.read.one("SELECT status FROM signature WHERE id = $1", sign_id)
    assert row is not None
    assert row[0] == Status.PASSED
