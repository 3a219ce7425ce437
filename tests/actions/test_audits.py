"""Who may decide what, and when: versions, leases, reopening; nothing of another application."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smsign.actions import apps, audits, ledger, signatures
from smsign.domain.apps import App
from smsign.domain.signatures import Status
from smsign.errors import ApiError, InvalidInput, NotFound, StorageError
from smsign.storage.blobs.upload import Upload
from smsign.storage.engine.protocol import Tx
from smsign.storage.open import Stores
from smsign.storage.rows import apps as app_rows
from smsign.storage.rows import audits as audit_rows
from smsign.storage.rows import leases
from smsign.storage.rows import signatures as rows
from tests.images import noise
from tests.steps import clock, decide, make_app, submit

LEASE_S = 120
ANN, BEN = "account:ann", "account:ben"


async def test_a_decision_on_an_outdated_version_is_an_error(stores: Stores) -> None:
    app = await make_app(stores)
    sign_id = await submit(stores, app)
    await decide(stores, sign_id, passed=False, version=1)
    await submit(stores, app, sign_id)
    with pytest.raises(InvalidInput, match="submitted again; decide version 2"):
        await decide(stores, sign_id, passed=False, version=1)
    await decide(stores, sign_id, passed=False, version=2)
    with pytest.raises(InvalidInput, match="not in the audit"):
        await decide(stores, sign_id, passed=False, version=2)


async def test_a_leased_signature_is_locked_for_others_until_the_lease_expires(
    stores: Stores,
) -> None:
    sign_id = await submit(stores, await make_app(stores))
    now = next(clock)
    end = now + LEASE_S * 1_000_000
    await audits.take(stores.db, signature_id=sign_id, lease_s=LEASE_S, actor=ANN, now=now)
    for snapshot in (now, end - 1):
        with pytest.raises(InvalidInput, match="ann is working on this"):
            await audits.take(stores.db, signature_id=sign_id, lease_s=LEASE_S, actor=BEN, now=snapshot)
        with pytest.raises(InvalidInput, match="ann is working on this"):
            await decide(stores, sign_id, passed=False, actor=BEN, now=snapshot)
    await audits.release(stores.db, signature_id=sign_id, actor=BEN)
    with pytest.raises(InvalidInput, match="ann is working on this"):
        await decide(stores, sign_id, passed=False, actor=BEN, now=end - 1)
    await audits.take(stores.db, signature_id=sign_id, lease_s=LEASE_S, actor=BEN, now=end)
    with pytest.raises(InvalidInput, match="ben is working on this"):
        await decide(stores, sign_id, passed=False, actor=ANN, now=end)
    await decide(stores, sign_id, passed=False, actor=BEN, now=end)
    assert await leases.find(stores.db.read, sign_id, now=end) is None


async def test_withdrawing_releases_the_lease_and_allows_resubmission(stores: Stores) -> None:
    app = await make_app(stores)
    sign_id = await submit(stores, app)
    now = next(clock)
    await audits.take(stores.db, signature_id=sign_id, lease_s=LEASE_S, actor=ANN, now=now)
    await signatures.withdraw(stores.db, app=app, signature_id=sign_id, actor="test:app", now=now)
    assert await leases.find(stores.db.read, sign_id, now=now) is None
    with pytest.raises(InvalidInput, match="not in the audit"):
        await decide(stores, sign_id, passed=False, now=now)
    with pytest.raises(ApiError, match="50102"):
        await signatures.withdraw(stores.db, app=app, signature_id=sign_id, actor="test:app", now=now)
    assert await submit(stores, app, sign_id) == sign_id


async def test_a_reopened_signature_is_not_in_use_and_keeps_its_decision(stores: Stores) -> None:
    app = await make_app(stores)
    sign_id = await submit(stores, app)
    await decide(stores, sign_id, passed=True)
    assert (await app_rows.get(stores.db.read, app.name)).in_use_id == sign_id
    with pytest.raises(InvalidInput, match="say why"):
        await audits.reopen(stores.db, signature_id=sign_id, reason=" ", actor=ANN, now=next(clock))
    await audits.reopen(stores.db, signature_id=sign_id, reason="again", actor=ANN, now=next(clock))
    assert (await app_rows.get(stores.db.read, app.name)).in_use_id is None
    first = await audit_rows.find(stores.db.read, app.id, sign_id, 1)
    assert first is not None
    assert first.passed == 1
    assert await audit_rows.find(stores.db.read, app.id, sign_id, 2) is None
    with pytest.raises(InvalidInput, match="in the audit already"):
        await audits.reopen(stores.db, signature_id=sign_id, reason="again", actor=ANN, now=next(clock))
    assert (await ledger.verify(stores.db)).fault is None


async def test_reopening_is_an_error_while_another_signature_is_in_the_audit(stores: Stores) -> None:
    app = await make_app(stores)
    passed = await submit(stores, app)
    await decide(stores, passed, passed=True)
    await submit(stores, app)
    with pytest.raises(InvalidInput, match="decide that one first"):
        await audits.reopen(stores.db, signature_id=passed, reason="again", actor=ANN, now=next(clock))
    assert (await app_rows.get(stores.db.read, app.name)).in_use_id == passed


async def test_an_application_cannot_read_another_applications_signatures(stores: Stores) -> None:
    app, other = await make_app(stores), await make_app(stores)
    upload = Upload("image0", stores.blobs.spool, at_most=10**6)
    await upload.write(noise())
    sign_id = await submit(stores, app, uploads=[upload])
    await decide(stores, sign_id, passed=False)
    db = stores.db.read

    async def read(app: App) -> list[object]:
        found = await rows.find_with_app(db, app.app_key, sign_id)
        assert found is not None
        return [
            found[1],
            await rows.find(db, app.id, sign_id),
            await rows.list_of_app(db, app.id),
            await rows.list_versions(db, app.id, sign_id),
            await rows.list_images(db, app.id, sign_id, 1),
            await rows.list_all_images(db, app.id, sign_id),
            await audit_rows.find(db, app.id, sign_id, 1),
            await audit_rows.list_(db, app.id, sign_id),
        ]

    assert all(await read(app))
    assert not any(await read(other))
    with pytest.raises(ApiError, match="50102"):
        await submit(stores, other, sign_id)
    foreign = {"app": other, "signature_id": sign_id, "actor": "test:app", "now": next(clock)}
    for change in (signatures.delete, signatures.withdraw):
        with pytest.raises(ApiError, match="50102"):
            await change(stores.db, **foreign)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="not one of"):
        await apps.use(stores.db, **foreign)  # type: ignore[arg-type]


async def test_no_row_references_an_image_before_its_blob_is_stored(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, put = await make_app(stores), stores.blobs.put
    seen: list[bool] = []

    async def look(sha256: str, file: Path) -> None:
        await put(sha256, file)
        await asyncio.sleep(0.1)
        seen.append(await rows.is_image_referenced(stores.db.read, sha256))

    async def fail(sha256: str, file: Path) -> None:
        raise StorageError("blobs: full")

    for kept in (fail, look):
        upload = Upload("image0", stores.blobs.spool, at_most=10**6)
        await upload.write(noise())
        monkeypatch.setattr(stores.blobs, "put", kept)
        if kept is fail:
            with pytest.raises(StorageError):
                await submit(stores, app, uploads=[upload])
            assert await rows.find_in_audit(stores.db.read, app.id) is None
        else:
            await submit(stores, app, uploads=[upload])
        upload.discard()
    assert seen == [False]


async def test_a_deleted_signature_cannot_be_decided_and_its_id_is_not_reused(stores: Stores) -> None:
    app = await make_app(stores)
    sign_id = await submit(stores, app)
    await signatures.delete(stores.db, app=app, signature_id=sign_id, actor="test:app", now=next(clock))
    with pytest.raises(NotFound):
        await decide(stores, sign_id, passed=False)
    with pytest.raises(NotFound):
        await audits.reopen(stores.db, signature_id=sign_id, reason="again", actor=ANN, now=next(clock))
    again = await submit(stores, app)
    assert again > sign_id
    known = await rows.find(stores.db.read, app.id, again)
    assert known is not None
    assert known.status == Status.IN_AUDIT


async def test_a_decision_is_one_transaction_that_reads_its_signature_once(stores: Stores) -> None:
    sign_id = await submit(stores, await make_app(stores))
    transactions: list[list[str]] = []

    class RecordingTx:
        def __init__(self, tx: Tx) -> None:
            self._tx = tx

        ledger_key = stores.db.ledger_key

        def __getattr__(self, name: str) -> Callable[..., Any]:
            def call(sql: str, *args: object) -> Any:
                transactions[-1].append(sql)
                return getattr(self._tx, name)(sql, *args)

            return call

    class RecordingDatabase:
        async def write(self, change: Callable[[Any], Any]) -> Any:
            transactions.append([])
            return await stores.db.write(lambda tx: change(RecordingTx(tx)))

    db: Any = RecordingDatabase()
    await audits.decide(db, signature_id=sign_id, passed=True, actor=ANN, now=next(clock))
    (statements,) = transactions
    assert len([sql for sql in statements if sql.startswith("SELECT") and "FROM signature" in sql]) == 1
