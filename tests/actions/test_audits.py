"""Who may decide what, and when: versions, leases, another look; nothing of another application."""

from __future__ import annotations

import itertools

import pytest

from smsign.actions import apps, audits, events, signatures
from smsign.domain.apps import App
from smsign.domain.signatures import Rules, Status
from smsign.errors import InvalidInput, NotFound, Refusal
from smsign.storage import apps as app_rows
from smsign.storage import audits as audit_rows
from smsign.storage import leases
from smsign.storage import signatures as rows
from smsign.storage.stores import Stores

_clock = itertools.count(1_700_000_000_000_000)
LEASE_S = 120
ANN, BEN = "account:ann", "account:ben"


async def _make_app(stores: Stores) -> App:
    return await apps.create(
        stores.db,
        stores.vault,
        name=f"app{next(_clock)}",
        keys=apps.make_keys(),
        use_by_hand=False,
        actor="test:builder",
        now=next(_clock),
    )


async def _submit(stores: Stores, app: App, sign_id: int | None = None) -> int:
    return await signatures.submit(
        stores.db,
        stores.blobs,
        Rules(),
        app=app,
        signature_id=sign_id,
        fields={"sign": "极光推送"},
        pictures=(),
        actor="test:app",
        now=next(_clock),
    )


async def _refuse(stores: Stores, sign_id: int, **told: object) -> None:
    given = {"actor": ANN, "now": next(_clock)} | told
    await audits.decide(stores.db, signature_id=sign_id, passed=False, reasons=["format"], **given)  # type: ignore[arg-type]


async def _pass(stores: Stores, sign_id: int) -> None:
    await audits.decide(stores.db, signature_id=sign_id, passed=True, actor=ANN, now=next(_clock))


async def test_a_decision_counts_for_the_version_that_was_looked_at(stores: Stores) -> None:
    app = await _make_app(stores)
    sign_id = await _submit(stores, app)
    await _refuse(stores, sign_id, version=1)
    await _submit(stores, app, sign_id)
    with pytest.raises(InvalidInput, match="submitted anew; look at version 2"):
        await _refuse(stores, sign_id, version=1)
    await _refuse(stores, sign_id, version=2)
    with pytest.raises(InvalidInput, match="not in the audit"):
        await _refuse(stores, sign_id, version=2)


async def test_what_one_auditor_has_no_other_takes_or_decides_until_the_lease_is_over(stores: Stores) -> None:
    sign_id = await _submit(stores, await _make_app(stores))
    now = next(_clock)
    end = now + LEASE_S * 1_000_000
    await audits.take(stores.db, signature_id=sign_id, lease_s=LEASE_S, actor=ANN, now=now)
    for moment in (now, end - 1):
        with pytest.raises(InvalidInput, match="ann has it on the desk"):
            await audits.take(stores.db, signature_id=sign_id, lease_s=LEASE_S, actor=BEN, now=moment)
        with pytest.raises(InvalidInput, match="ann has it on the desk"):
            await _refuse(stores, sign_id, actor=BEN, now=moment)
    await audits.release(stores.db, signature_id=sign_id, actor=BEN)
    with pytest.raises(InvalidInput, match="ann has it on the desk"):
        await _refuse(stores, sign_id, actor=BEN, now=end - 1)
    await audits.take(stores.db, signature_id=sign_id, lease_s=LEASE_S, actor=BEN, now=end)
    with pytest.raises(InvalidInput, match="ben has it on the desk"):
        await _refuse(stores, sign_id, actor=ANN, now=end)
    await _refuse(stores, sign_id, actor=BEN, now=end)
    assert await leases.find(stores.db.read, sign_id, now=end) is None


async def test_what_is_withdrawn_is_on_nobodys_desk_and_can_be_submitted_again(stores: Stores) -> None:
    app = await _make_app(stores)
    sign_id = await _submit(stores, app)
    now = next(_clock)
    await audits.take(stores.db, signature_id=sign_id, lease_s=LEASE_S, actor=ANN, now=now)
    await signatures.withdraw(stores.db, app=app, signature_id=sign_id, actor="test:app", now=now)
    assert await leases.find(stores.db.read, sign_id, now=now) is None
    with pytest.raises(InvalidInput, match="not in the audit"):
        await _refuse(stores, sign_id, now=now)
    with pytest.raises(Refusal, match="50102"):
        await signatures.withdraw(stores.db, app=app, signature_id=sign_id, actor="test:app", now=now)
    assert await _submit(stores, app, sign_id) == sign_id


async def test_what_gets_another_look_is_used_no_more_and_keeps_its_decision(stores: Stores) -> None:
    app = await _make_app(stores)
    sign_id = await _submit(stores, app)
    await _pass(stores, sign_id)
    assert (await app_rows.get(stores.db.read, app.name)).in_use_id == sign_id
    with pytest.raises(InvalidInput, match="say why"):
        await audits.reopen(stores.db, signature_id=sign_id, reason=" ", actor=ANN, now=next(_clock))
    await audits.reopen(stores.db, signature_id=sign_id, reason="again", actor=ANN, now=next(_clock))
    assert (await app_rows.get(stores.db.read, app.name)).in_use_id is None
    first = await audit_rows.find(stores.db.read, app.id, sign_id, 1)
    assert first is not None
    assert first.passed == 1
    assert await audit_rows.find(stores.db.read, app.id, sign_id, 2) is None
    with pytest.raises(InvalidInput, match="in the audit already"):
        await audits.reopen(stores.db, signature_id=sign_id, reason="again", actor=ANN, now=next(_clock))
    assert (await events.verify(stores.db)).fault is None


async def test_another_look_waits_for_the_one_in_the_audit(stores: Stores) -> None:
    app = await _make_app(stores)
    passed = await _submit(stores, app)
    await _pass(stores, passed)
    await _submit(stores, app)
    with pytest.raises(InvalidInput, match="decide that one first"):
        await audits.reopen(stores.db, signature_id=passed, reason="again", actor=ANN, now=next(_clock))
    assert (await app_rows.get(stores.db.read, app.name)).in_use_id == passed


async def test_no_read_for_an_application_finds_what_is_anothers(stores: Stores) -> None:
    app, other = await _make_app(stores), await _make_app(stores)
    sign_id = await _submit(stores, app)
    await _refuse(stores, sign_id)
    db = stores.db.read

    async def read(app: App) -> list[object]:
        found = await rows.find_with_app(db, app.app_key, sign_id)
        assert found is not None
        return [
            found[1],
            await rows.find(db, app.id, sign_id),
            await rows.list_of_app(db, app.id),
            await rows.list_versions(db, app.id, sign_id),
            await audit_rows.find(db, app.id, sign_id, 1),
            await audit_rows.list_(db, app.id, sign_id),
        ]

    assert all(await read(app))
    assert not any(await read(other))
    with pytest.raises(Refusal, match="50102"):
        await _submit(stores, other, sign_id)
    told = {"app": other, "signature_id": sign_id, "actor": "test:app", "now": next(_clock)}
    for change in (signatures.delete, signatures.withdraw):
        with pytest.raises(Refusal, match="50102"):
            await change(stores.db, **told)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="none of"):
        await apps.use(stores.db, **told)  # type: ignore[arg-type]


async def test_what_was_deleted_is_nobodys_to_decide_and_its_id_is_not_given_again(stores: Stores) -> None:
    app = await _make_app(stores)
    sign_id = await _submit(stores, app)
    await signatures.delete(stores.db, app=app, signature_id=sign_id, actor="test:app", now=next(_clock))
    with pytest.raises(NotFound):
        await _refuse(stores, sign_id)
    with pytest.raises(NotFound):
        await audits.reopen(stores.db, signature_id=sign_id, reason="again", actor=ANN, now=next(_clock))
    again = await _submit(stores, app)
    assert again > sign_id
    known = await rows.find(stores.db.read, app.id, again)
    assert known is not None
    assert known.status == Status.IN_AUDIT
