"""Decide: pass or refuse what is in the audit, and put a decision up for another look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from smsign.actions.events import record
from smsign.domain import audits
from smsign.domain.audits import Decision
from smsign.domain.events import Kind, Subject
from smsign.domain.signatures import Signature, Status, Submission
from smsign.errors import Conflict, InvalidInput, NotFound
from smsign.storage.engine.protocol import Database, Tx
from smsign.storage.rows import apps as app_rows
from smsign.storage.rows import audits as rows
from smsign.storage.rows import events, leases
from smsign.storage.rows import signatures as signature_rows


async def decide(
    db: Database,
    *,
    signature_id: int,
    passed: bool,
    actor: str,
    now: int,
    reasons: Sequence[str] = (),
    note: str = "",
    version: int | None = None,
) -> Signature:
    """Record what the auditor says of the version in the audit; return the signature as it is after.

    One that passes becomes the one in use, unless its application switches by hand (wire.md, Calls).
    `version`, if given, is the one that the auditor looked at. What another auditor has on the desk is
    left to that one.

    Raises: NotFound for an unknown signature; InvalidInput for one that is not in the audit, is another
    version by now, is on another desk, or for reasons that a refusal cannot have.
    """
    if passed and reasons:
        raise InvalidInput("reason: a signature that passes has none", "原因：通过的签名无需填写原因")
    audits.check_note(note)
    grounds = {} if passed else audits.check_refusal(reasons)

    async def change(tx: Tx) -> Signature:
        signature = await _lock(tx, signature_id)
        if signature.status != Status.IN_AUDIT:
            raise audits.decided_already(signature)
        if version not in (None, signature.version):
            raise audits.newer_version(signature)
        lease = await leases.find(tx, signature_id, now=now)
        if lease is not None and lease.actor != actor:
            raise audits.leased(lease.actor)
        return await write_decision(
            tx, signature, passed=passed, grounds=grounds, note=note, actor=actor, now=now
        )

    return await db.write(change)


async def write_decision(
    tx: Tx,
    signature: Signature,
    *,
    passed: bool,
    grounds: Mapping[str, str],
    actor: str,
    now: int,
    note: str = "",
) -> Signature:
    """Write a decision of the version in the audit; return the signature as it is after.

    `grounds` are codes of reasons with the field that each is about. The caller holds the signature, and
    has made sure that it is in the audit.
    """
    status = Status.PASSED if passed else Status.REFUSED
    await signature_rows.update_status(tx, signature, status=status)
    codes, fields = tuple(grounds), tuple(grounds.values())
    decision = Decision(signature.id, signature.version, int(passed), codes, note, actor, now, fields)
    await rows.insert(tx, signature.app_id, decision)
    await leases.delete(tx, signature.id)
    kind = Kind.PASSED if passed else Kind.REFUSED
    told = {"version": signature.version, "reasons": codes, "fields": fields, "note": note}
    await record(tx, signature.app_id, signature.id, kind, actor=actor, now=now, data=told)
    if passed:
        await _use_if_wanted(tx, signature, actor=actor, now=now)
    return msgspec.structs.replace(signature, status=int(status))


async def reopen(db: Database, *, signature_id: int, reason: str, actor: str, now: int) -> Signature:
    """Put a decided signature back in the audit, as a new version with the same content and evidence.

    The decision stays on record with the version that it was made of. The one in use stops being so.

    Raises: NotFound, InvalidInput when it is in the audit already, another one of the application is,
    or no reason is given.
    """
    if not reason.strip():
        raise InvalidInput("reason: say why it is opened again", "原因：请说明重新审核的原因")
    audits.check_note(reason)

    async def change(tx: Tx) -> Signature:
        signature = await _lock(tx, signature_id)
        if signature.status == Status.IN_AUDIT:
            raise InvalidInput(
                f"signature {signature_id} is in the audit already", f"签名 {signature_id} 已在审核中"
            )
        app = await app_rows.lock(tx, signature.app_id)
        try:
            await signature_rows.update_resubmitted(tx, signature, content=signature.content, now=now)
        except Conflict:
            raise InvalidInput(
                "another signature of the application is in the audit; decide that one first",
                "该应用已有其他签名在审核中，请先处理",
            ) from None
        n = signature.version + 1
        last = (await signature_rows.list_versions(tx, app.id, signature_id))[-1]
        images = tuple(await signature_rows.list_images(tx, app.id, signature_id, last.n))
        again = Submission(last.content, last.fields, images)
        await signature_rows.insert_version(tx, app.id, signature_id, n, again, actor=actor, now=now)
        told = {"version": n, "reason": reason}
        await record(tx, app.id, signature_id, Kind.REOPENED, actor=actor, now=now, data=told)
        if app.in_use_id == signature_id:
            await _set_use(tx, app.id, app.in_use_id, None, actor=actor, now=now)
        return msgspec.structs.replace(signature, status=int(Status.IN_AUDIT), version=n, submitted_at=now)

    return await db.write(change)


async def take(db: Database, *, signature_id: int, lease_s: int, actor: str, now: int) -> Signature:
    """Take a signature to the desk, or keep it there, for `lease_s` seconds.

    Raises: NotFound; InvalidInput when it is decided already or another auditor has it.
    """

    async def change(tx: Tx) -> Signature:
        signature = await _lock(tx, signature_id)
        if signature.status != Status.IN_AUDIT:
            raise audits.decided_already(signature)
        until = now + lease_s * 1_000_000
        if not await leases.claim(tx, signature_id, actor=actor, until=until, now=now):
            holder = await leases.find(tx, signature_id, now=now)
            raise audits.leased(holder.actor if holder else "")
        return signature

    return await db.write(change)


async def release(db: Database, *, signature_id: int, actor: str) -> None:
    """Put a signature back in the queue, if `actor` has it."""

    async def change(tx: Tx) -> None:
        await leases.delete(tx, signature_id, actor=actor)

    await db.write(change)


async def _lock(tx: Tx, signature_id: int) -> Signature:
    signature = await signature_rows.lock_any(tx, signature_id)
    if signature is None:
        raise NotFound(f"there is no signature {signature_id}", f"没有签名 {signature_id}")
    return signature


async def _use_if_wanted(tx: Tx, signature: Signature, *, actor: str, now: int) -> None:
    app = await app_rows.lock(tx, signature.app_id)
    if not app.use_by_hand:
        await _set_use(tx, app.id, app.in_use_id, signature.id, actor=actor, now=now)


async def _set_use(tx: Tx, app_id: int, old: int | None, new: int | None, *, actor: str, now: int) -> None:
    await app_rows.update_in_use(tx, app_id, in_use_id=new)
    told = {"from": old, "to": new}
    await events.append(tx, Subject.APP, app_id, Kind.USE_CHANGED, actor=actor, now=now, data=told)
