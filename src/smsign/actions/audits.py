"""Decide: pass or refuse what is in the audit."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from smsign.actions.signatures import record
from smsign.domain import audits
from smsign.domain.audits import Decision
from smsign.domain.events import Kind, Subject
from smsign.domain.signatures import Signature, Status
from smsign.errors import InvalidInput, NotFound
from smsign.storage import apps as app_rows
from smsign.storage import audits as rows
from smsign.storage import events
from smsign.storage import signatures as signature_rows
from smsign.storage.db import Database, Tx


async def decide(
    db: Database,
    *,
    signature_id: int,
    passed: bool,
    actor: str,
    now: int,
    reasons: Sequence[str] = (),
    note: str = "",
) -> Signature:
    """Record what the auditor says of the version in the audit; return the signature as it is after.

    One that passes becomes the one in use, unless its application switches by hand (WIRE.md, Calls).

    Raises: NotFound for an unknown signature, InvalidInput for one that is not in the audit or for
    reasons that a refusal cannot have.
    """
    if passed and reasons:
        raise InvalidInput("reason: a signature that passes has none")
    codes = () if passed else audits.check_refusal(reasons, note)

    async def change(tx: Tx) -> Signature:
        known = await signature_rows.find_any(tx, signature_id)
        signature = await signature_rows.lock(tx, known.app_id, signature_id) if known else None
        if signature is None:
            raise NotFound(f"there is no signature {signature_id}")
        if signature.status != Status.IN_AUDIT:
            state = "passed" if signature.status == Status.PASSED else "been refused"
            raise InvalidInput(f"signature {signature_id} is not in the audit: it has {state} already")
        status = Status.PASSED if passed else Status.REFUSED
        await signature_rows.update_status(tx, signature, status=status)
        await rows.insert(
            tx,
            signature.app_id,
            Decision(signature_id, signature.version, int(passed), codes, note, actor, now),
        )
        kind = Kind.PASSED if passed else Kind.REFUSED
        told = {"version": signature.version, "reasons": codes, "note": note}
        await record(tx, signature.app_id, signature_id, kind, actor=actor, now=now, data=told)
        if passed:
            await _use_if_wanted(tx, signature, actor=actor, now=now)
        return msgspec.structs.replace(signature, status=int(status))

    return await db.write(change)


async def _use_if_wanted(tx: Tx, signature: Signature, *, actor: str, now: int) -> None:
    app = await app_rows.lock(tx, signature.app_id)
    if app.use_by_hand:
        return
    await app_rows.update_in_use(tx, app.id, in_use_id=signature.id)
    told = {"from": app.in_use_id, "to": signature.id}
    await events.append(tx, Subject.APP, app.id, Kind.USE_CHANGED, actor=actor, now=now, data=told)
