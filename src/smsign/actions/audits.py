"""The audit: lease a signature, pass or refuse it, reopen a decision."""

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
    """Decide the version in the audit; return the signature after it.

    A signature that passes becomes the one in use, unless its application switches by hand (wire.md, Calls).
    `version`, if given, is the one that the auditor has seen (optimistic locking).

    Raises: NotFound for an unknown signature; InvalidInput if it is not in the audit, has a newer version, or
    is leased by another auditor, and for invalid reasons.
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
    """Write the decision on a locked signature that is in the audit; return the signature after it.

    `grounds` maps the codes of reasons to fields.
    """
    status = Status.PASSED if passed else Status.REFUSED
    await signature_rows.update_status(tx, signature, status=status)
    codes, fields = tuple(grounds), tuple(grounds.values())
    decision = Decision(signature.id, signature.version, int(passed), codes, note, actor, now, fields)
    await rows.insert(tx, signature.app_id, decision)
    await leases.delete(tx, signature.id)
    kind = Kind.PASSED if passed else Kind.REFUSED
    data = {"version": signature.version, "reasons": codes, "fields": fields, "note": note}
    await record(tx, signature.app_id, signature.id, kind, actor=actor, now=now, data=data)
    if passed:
        app = await app_rows.lock(tx, signature.app_id)
        if not app.use_by_hand:
            await _set_use(tx, app.id, app.in_use_id, signature.id, actor=actor, now=now)
    return msgspec.structs.replace(signature, status=int(status))


async def reopen(db: Database, *, signature_id: int, reason: str, actor: str, now: int) -> Signature:
    """Put a decided signature back in the audit, as a new version with the same content and images.

    The decision stays with the version that it was made on. If the signature was in use, it no longer is.

    Raises: NotFound; InvalidInput if this or another signature of the application is in the audit, or without
    a reason.
    """
    if not reason.strip():
        raise InvalidInput("reason: say why it is reopened", "原因：请说明重新审核的原因")
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
        submission = Submission(last.content, last.fields, images)
        await signature_rows.insert_version(tx, app.id, signature_id, n, submission, actor=actor, now=now)
        data = {"version": n, "reason": reason}
        await record(tx, app.id, signature_id, Kind.REOPENED, actor=actor, now=now, data=data)
        if app.in_use_id == signature_id:
            await _set_use(tx, app.id, app.in_use_id, None, actor=actor, now=now)
        return msgspec.structs.replace(signature, status=int(Status.IN_AUDIT), version=n, submitted_at=now)

    return await db.write(change)


async def take(db: Database, *, signature_id: int, lease_s: int, actor: str, now: int) -> Signature:
    """Lease a signature to an auditor, or renew the lease, for `lease_s` seconds.

    Raises: NotFound; InvalidInput if it is not in the audit or leased by another auditor.
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
    """Release the lease of a signature, if `actor` has it."""
    await db.write(lambda tx: leases.delete(tx, signature_id, actor=actor))


async def _lock(tx: Tx, signature_id: int) -> Signature:
    signature = await signature_rows.lock_any(tx, signature_id)
    if signature is None:
        raise NotFound(f"there is no signature {signature_id}", f"没有签名 {signature_id}")
    return signature


async def _set_use(tx: Tx, app_id: int, old: int | None, new: int | None, *, actor: str, now: int) -> None:
    await app_rows.update_in_use(tx, app_id, in_use_id=new)
    data = {"from": old, "to": new}
    await events.append(tx, Subject.APP, app_id, Kind.USE_CHANGED, actor=actor, now=now, data=data)
