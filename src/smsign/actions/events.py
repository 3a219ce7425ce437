"""Record the events of signatures in the audit log and, if there are callbacks, in the outbox."""

from __future__ import annotations

from collections.abc import Mapping

from smsign.domain.events import Kind, Subject
from smsign.domain.signatures import Submission
from smsign.storage.engine.protocol import Tx
from smsign.storage.ledger import chains
from smsign.storage.rows import events, outbox


async def record(
    tx: Tx,
    app_id: int,
    signature_id: int,
    kind: Kind,
    *,
    actor: str,
    now: int,
    data: Mapping[str, object] | None = None,
) -> None:
    """Record an event of a signature that exists."""
    seq = await events.append(tx, Subject.SIGNATURE, signature_id, kind, actor=actor, now=now, data=data)
    await outbox.insert(tx, kind, app_id=app_id, signature_id=signature_id, seq=seq, now=now)


async def record_submitted(
    tx: Tx,
    app_id: int,
    signature_id: int,
    submission: Submission,
    *,
    actor: str,
    now: int,
    has_callbacks: bool = True,
) -> None:
    """Record the first event of a signature, and count it."""
    kind, data = Kind.SUBMITTED, {"app_id": app_id, **submission.event_data(1)}
    seq = await events.append(
        tx,
        Subject.SIGNATURE,
        signature_id,
        kind,
        actor=actor,
        now=now,
        data=data,
        first=True,
    )
    await chains.count_signature(tx, app_id)
    if has_callbacks:
        await outbox.insert(tx, kind, app_id=app_id, signature_id=signature_id, seq=seq, now=now)
