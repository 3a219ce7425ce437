"""`smsign doctor` finds each error of an operator, and suggests a fix."""

from __future__ import annotations

import hashlib
import os
import re
import time
from pathlib import Path
from typing import Any, NoReturn

import asyncpg
import pytest

from smsign import config
from smsign.actions.doctor import diagnose as doctor
from smsign.actions.doctor import files
from smsign.actions.doctor.diagnose import diagnose
from smsign.actions.doctor.finding import OK, WARNING, WRONG, Finding, Installation
from smsign.config import Settings
from smsign.errors import StorageError
from smsign.storage.engine.migrate import put_meta
from smsign.storage.open import Stores, open_stores
from tests.images import noise

pytestmark = pytest.mark.process

OLD_S = 48 * 3600
POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)


async def _validate(settings: Settings, **changed: Any) -> dict[str, Finding]:
    given: dict[str, Any] = {
        "folder": settings.folder,
        "database_url": settings.database_url,
        "blobs_url": settings.blobs_url,
        "key": settings.secret_key,
        "key_file": settings.key_file,
        "now": time.time_ns() // 1000,
    }
    found = [finding async for finding in diagnose(Installation(**given | changed), lambda *_: None)]
    for finding in found:
        assert (finding.state == OK) == (finding.fix.en == ""), finding
    return {finding.check: finding for finding in found if finding.state != OK} or {
        finding.check: finding for finding in found
    }


@pytest.fixture
async def filled(stores: Stores, settings: Settings) -> Settings:
    """A healthy database with a passed and a refused signature."""
    from smsign.actions import apps, audits, signatures
    from smsign.storage.blobs.upload import Upload

    settings.folder.chmod(0o700)
    for number, passed in enumerate((True, False)):
        now = time.time_ns() // 1000
        app = await apps.create(
            stores.db,
            stores.vault,
            name=f"app{number}",
            keys=apps.make_keys(),
            use_by_hand=False,
            actor="test:builder",
            now=now,
        )
        image = Upload("image0", stores.blobs.spool, at_most=10**6)
        await image.write(noise())
        sign_id = await signatures.submit(
            stores.db,
            stores.blobs,
            settings.rules,
            app=app,
            signature_id=None,
            fields={"sign": "极光推送"},
            uploads=[image],
            actor="test:app",
            now=now,
        )
        await audits.decide(
            stores.db,
            signature_id=sign_id,
            passed=passed,
            reasons=() if passed else ("format",),
            actor="test:auditor",
            now=now,
        )
    return settings


async def test_a_healthy_installation_has_no_problems(filled: Settings) -> None:
    found = await _validate(filled)
    assert {finding.state for finding in found.values()} == {OK}
    assert {"data folder", "disk", "schema", "secret key", "clock", "integrity"} < found.keys()
    assert {"ids", "rows", "ledger", "outbox", "images"} < found.keys()


async def test_a_withdrawn_signature_is_healthy(filled: Settings, stores: Stores) -> None:
    from smsign.actions import signatures
    from smsign.storage.rows import apps

    app, now = await apps.get(stores.db.read, "app0"), time.time_ns() // 1000
    actor: dict[str, Any] = {"app": app, "actor": "test:app", "now": now}
    fields = {"sign": "极光推送"}
    sign_id = await signatures.submit(
        stores.db, stores.blobs, filled.rules, fields=fields, uploads=(), **actor
    )
    await signatures.withdraw(stores.db, signature_id=sign_id, **actor)
    found = await _validate(filled)
    assert {finding.state for finding in found.values()} == {OK}, found


@pytest.mark.parametrize(
    ("harm", "check", "message"),
    [
        ("UPDATE signature SET status = 2 WHERE status = 1", "rows", "status differs from the decision: "),
        ("UPDATE signature SET version = 2 WHERE status = 2", "rows", "latest version is missing"),
        ("DELETE FROM decision_reason", "rows", "refused without a reason"),
        ("UPDATE version SET app_id = 99", "rows", "of another application"),
        ("UPDATE app SET in_use_id = 999 WHERE in_use_id IS NOT NULL", "rows", "that has not passed"),
        ("UPDATE event SET data = '{}' WHERE seq = 2", "ledger", "was changed after it was written"),
        ("UPDATE meta SET value = '0123' WHERE name = 'key_fingerprint'", "secret key", "to another key"),
        ("UPDATE meta SET value = '999' WHERE name = 'schema'", "schema", "newer smsign"),
        ("UPDATE meta SET value = '1' WHERE name = 'schema'", "schema", "number 1 of "),
        ("INSERT INTO meta (name, value) VALUES ('copy', '')", "schema", "not finished"),
    ],
)
async def test_corrupt_rows_are_found(
    filled: Settings, stores: Stores, harm: str, check: str, message: str
) -> None:
    await stores.db.write(lambda tx: tx.run(harm))
    found = await _validate(filled)
    assert message in found[check].what.en


async def test_id_sequences_that_would_repeat_are_found(filled: Settings, stores: Stores) -> None:
    sqlite = filled.database_url.startswith("sqlite:")
    harm = (
        "UPDATE sqlite_sequence SET seq = 1 WHERE name = 'event'"
        if sqlite
        else "SELECT setval(pg_get_serial_sequence('event', 'id'), 1)"
    )
    await stores.db.write(lambda tx: tx.run(harm))
    assert "event: the next id" in (await _validate(filled))["ids"].what.en


async def test_wrong_clocks_and_full_disks_are_found(
    filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour_ago = time.time_ns() // 1000 - 3_600_000_000
    assert "in the future" in (await _validate(filled, now=hour_ago))["clock"].what.en
    if not filled.database_url.startswith("sqlite:"):
        found = await _validate(filled, now=hour_ago + 7_200_000_000)
        assert "2 hours" not in found["clock"].what.en
        assert "apart" in found["clock"].what.en
        assert found["clock"].state == WARNING
    monkeypatch.setattr(files, "DISK_LOW_BYTES", 10**18)
    assert (await _validate(filled))["disk"].state == WARNING
    monkeypatch.setattr(files, "DISK_FULL_BYTES", 10**18)
    assert (await _validate(filled))["disk"].state == WRONG


async def test_missing_and_unreferenced_images_are_found(filled: Settings) -> None:
    blobs = filled.folder / "blobs"
    orphan = blobs / "00" / "00" / ("0" * 64)
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"x")
    assert (await _validate(filled))["images"].state == OK, "it may be an upload in progress"
    os.utime(orphan, (time.time() - OLD_S,) * 2)
    found = (await _validate(filled))["images"]
    assert (found.state, "1 older than a day" in found.what.en) == (WARNING, True)
    named = hashlib.sha256(noise()).hexdigest()
    (blobs / named[:2] / named[2:4] / named).unlink()
    found = (await _validate(filled))["images"]
    assert (found.state, named in found.what.en) == (WRONG, True)
    (blobs.parent / "file").write_text("")
    found = (await _validate(filled, blobs_url=f"file:{blobs.parent / 'file'}"))["images"]
    assert found.state == WRONG


async def test_a_changed_image_is_found_by_a_deep_check(filled: Settings) -> None:
    named = hashlib.sha256(noise()).hexdigest()
    assert (await _validate(filled, deep=True))["images"].state == OK
    (filled.folder / "blobs" / named[:2] / named[2:4] / named).write_bytes(noise(seed=8))
    assert (await _validate(filled))["images"].state == OK
    found = (await _validate(filled, deep=True))["images"]
    assert (found.state, named in found.what.en) == (WRONG, True)


async def test_loose_permissions_and_a_lost_key_are_found(filled: Settings) -> None:
    filled.key_file.chmod(0o644)
    assert "chmod 600" in (await _validate(filled))["secret key"].fix.en
    filled.key_file.chmod(0o600)
    filled.folder.chmod(0o755)
    assert (await _validate(filled))["data folder"].state == WARNING
    filled.folder.chmod(0o777)
    assert (await _validate(filled))["data folder"].state == WRONG
    filled.folder.chmod(0o700)
    if os.getuid() == 0:
        os.chown(filled.key_file, 12345, 12345)
        assert "another user" in (await _validate(filled))["data folder"].what.en
        os.chown(filled.key_file, 0, 0)
    key = filled.key_file.read_text().strip()
    filled.key_file.write_text("ab" * 32)
    assert "remove" in (await _validate(filled, key=key))["secret key"].fix.en
    filled.key_file.unlink()
    assert "does not exist" in (await _validate(filled))["secret key"].what.en


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
@pytest.mark.parametrize("owner", ["ours", "another"])
async def test_a_read_only_database_is_diagnosed_as_a_permission_problem(
    filled: Settings, monkeypatch: pytest.MonkeyPatch, owner: str
) -> None:
    """Permissions are faked, since root may write everywhere."""
    shut: set[Path] = {filled.folder}
    me = os.getuid() + (owner == "another")

    async def refuse(_url: str) -> NoReturn:
        raise StorageError("SQLite: attempt to write a readonly database")

    monkeypatch.setattr(doctor, "open_source", refuse)
    monkeypatch.setattr("os.access", lambda place, mode: place not in shut or not mode & os.W_OK)
    monkeypatch.setattr("os.geteuid", lambda: me)
    way = f"chown {me}" if owner == "another" else "chmod u+rwX"
    found = await _validate(filled)
    assert f"{way} {filled.folder}" in found["data folder"].fix.en
    assert f"{way} {filled.folder}" in found["database"].fix.en
    shut = {filled.folder / "smsign.db"}
    found = await _validate(filled)
    assert f"{way} {filled.folder / 'smsign.db'}" in found["database"].fix.en
    assert "data folder" not in found
    shut = set()
    assert "restore a backup" in (await _validate(filled))["database"].fix.en
    (filled.folder / "smsign.db").unlink()
    assert "name it with --database" in (await _validate(filled))["database"].fix.en


@pytest.mark.parametrize("engine", [POSTGRES], scope="session", indirect=True)
async def test_too_many_connections_is_not_diagnosed_as_a_server_that_is_down(filled: Settings) -> None:
    from smsign.storage.open import open_database

    admin = await asyncpg.connect(filled.database_url)
    await admin.execute("DROP ROLE IF EXISTS limited")
    await admin.execute("CREATE ROLE limited LOGIN CONNECTION LIMIT 0")
    await admin.close()
    url = re.sub("//[^/@]*@", "//limited@", filled.database_url)
    found = (await _validate(filled, database_url=url))["database"]
    assert "lower database_pool" in found.what.en
    assert "database_pool" in found.fix.en
    assert "start its server" not in found.fix.en
    with pytest.raises(StorageError, match=r"cannot connect: .*lower database_pool"):
        await open_database(url, pool_size=1)
    nobody = "postgresql://nobody@127.0.0.1:1/none"
    assert "start its server" in (await _validate(filled, database_url=nobody))["database"].fix.en


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
async def test_damaged_pages_are_found(filled: Settings, stores: Stores) -> None:
    await stores.close()
    file = filled.folder / "smsign.db"
    data = bytearray(file.read_bytes())
    size = int.from_bytes(data[16:18], "big")
    broken = 0
    for page in range(2, len(data) // size):
        if data[page * size] == 0x0D:  # a leaf of a table
            data[page * size + 3 : page * size + 5] = b"\x7f\xff"
            broken += 1
            break
    assert broken
    file.write_bytes(data)
    try:
        found = await _validate(filled)
        assert found["integrity"].state == WRONG
    finally:
        await open_stores(config.load({"data": str(filled.folder / "other")}, {}))


async def test_an_unknown_row_in_meta_is_healthy(filled: Settings, stores: Stores) -> None:
    await stores.db.write(lambda tx: put_meta(tx, "note", "x"))
    assert {finding.state for finding in (await _validate(filled)).values()} == {OK}
