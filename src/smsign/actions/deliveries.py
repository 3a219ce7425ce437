"""The steps of a delivery: lease a due row of the outbox, build its request, record the attempt.

Delivery is at-least-once: a row is deleted in the transaction that records its success. After a crash in
between, its lease expires and the event is delivered again.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

import msgspec

from smsign.actions import callbacks as callback_actions
from smsign.domain import callbacks
from smsign.domain.apps import App
from smsign.domain.audits import refuse_reason
from smsign.domain.callbacks import ACTIVE, Callback, EventPayload, Keys, OutgoingRequest, Response
from smsign.domain.events import Event, Kind, Subject
from smsign.domain.formats import FORMATS
from smsign.parsing import rfc3339
from smsign.storage.engine.protocol import Database, Reader, Tx
from smsign.storage.rows import apps, deliveries, events, outbox, reasons
from smsign.storage.rows import callbacks as rows
from smsign.storage.rows.outbox import LeasedRow
from smsign.storage.vault import Vault

ACTOR = "system:worker"
NONCE_BYTES = 8
RECOVERED_AFTER = 3
"""A success after this many consecutive failures makes all waiting retries due at once."""
SWEEP_ROWS = 1000


class PreparedDelivery(msgspec.Struct, frozen=True):
    """A leased row with the request that delivers it."""

    row: LeasedRow
    app: App
    callback: Callback
    kind: str
    request: OutgoingRequest


async def claim(db: Database, wanted: Mapping[int, int], *, lease_s: float, now: int) -> list[LeasedRow]:
    """Lease due rows for `lease_s` seconds; `wanted` has the maximum number by callback id."""
    lease, until = secrets.token_hex(8), now + int(lease_s * 1_000_000)

    async def change(tx: Tx) -> list[LeasedRow]:
        found = []
        for callback_id, limit in wanted.items():
            found += await outbox.claim(tx, callback_id, lease=lease, until=until, now=now, limit=limit)
        return found

    return await db.write(change)


async def prepare(
    db: Reader, vault: Vault, row: LeasedRow, *, language: str, now: int
) -> PreparedDelivery | None:
    """Return the delivery of a leased row, or None if its callback was removed or paused meanwhile."""
    callback = await rows.find_any(db, row.callback_id)
    app = await apps.find(db, callback.app_id) if callback else None
    if callback is None or app is None or callback.state != ACTIVE:
        return None
    history = await events.list_(db, Subject.SIGNATURE, row.signature_id)
    history = [event for event in history if event.seq <= row.seq]
    format = FORMATS[callback.format]
    if format.own_secret:
        keys = Keys(app.app_key, callback_actions.secrets_of(vault, app, callback, now=now))
    else:
        sealed = await apps.get_sealed(db, app.id)
        keys = Keys(app.app_key, (vault.unseal(sealed, app_key=app.app_key),))
    payload = await _make_payload(db, history, language)
    nonce = secrets.token_hex(NONCE_BYTES)
    request = format.build(payload, url=callback.url, keys=keys, now=now, nonce=nonce)
    return PreparedDelivery(row, app, callback, payload.kind, request)


async def record_attempt(
    db: Database, prepared: PreparedDelivery, response: Response, *, chance: float, at: int, now: int
) -> str:
    """Record an attempt made at `at`, and delete its row or schedule a retry.

    Return why the callback was paused, or an empty text. `chance`, between -1 and 1, is for the jitter.
    """
    row, format = prepared.row, FORMATS[prepared.callback.format]
    failed = row.attempts + 1

    async def change(tx: Tx) -> tuple[str, bool]:
        await outbox.lock_signature(tx, row.signature_id)
        kind, request = prepared.kind, prepared.request
        await deliveries.insert(tx, row, kind=kind, request=request, response=response, at=at)
        if response.is_success:
            if await outbox.delete(tx, row):
                await _promote_next(tx, row, now)
            return "", await rows.clear_failures(tx, row.callback_id) >= RECOVERED_AFTER
        due_at = callbacks.next_attempt_at(format, response, failed=failed, now=now, chance=chance)
        if await outbox.reschedule(tx, row, due_at=due_at):
            await _promote_next(tx, row, now)
        in_a_row = await rows.count_failure(tx, row.callback_id, now=now)
        return callbacks.pause_reason(format, response, failed=failed, in_a_row=in_a_row), False

    why, recovered = await db.write(change)
    if recovered:
        await db.write(lambda tx: outbox.retry_now(tx, row.callback_id, now=now))
    if why:
        await callback_actions.pause(
            db, app=prepared.app, callback_id=row.callback_id, why=why, actor=ACTOR, now=now
        )
    return why


async def release(db: Database, row: LeasedRow) -> None:
    """Release the lease of a row that was not sent."""
    await db.write(lambda tx: outbox.release(tx, row))


async def sweep(db: Database, *, keep_days: int, now: int) -> int:
    """Delete old deliveries and the events of removed callbacks; return the number of rows."""
    before = now - keep_days * 86_400_000_000
    total = 0
    while True:

        async def change(tx: Tx) -> int:
            deleted = await outbox.sweep(tx, limit=SWEEP_ROWS)
            if keep_days:
                deleted += await deliveries.sweep(tx, before=before, limit=SWEEP_ROWS)
            return deleted

        deleted = await db.write(change)
        total += deleted
        if not deleted:
            return total


async def _promote_next(tx: Tx, row: LeasedRow, now: int) -> None:
    await outbox.promote_next(tx, row.callback_id, first=row.signature_id, last=row.signature_id, now=now)


async def _make_payload(db: Reader, history: Sequence[Event], language: str) -> EventPayload:
    event, snapshot = history[-1], callbacks.snapshot_after(history)
    payload = EventPayload(
        event.id,
        event.kind,
        rfc3339(event.at),
        event.seq,
        event.subject_id,
        snapshot.content,
        snapshot.status,
        snapshot.version,
    )
    if event.kind != Kind.REFUSED:
        return payload
    data = msgspec.json.decode(event.data)
    known = await reasons.list_(db)
    coded = [
        {
            "code": code,
            "field": field,
            "title": known[code].title.to(language),
            "advice": known[code].advice.to(language),
        }
        for code, field in zip(data["reasons"], data["fields"], strict=True)
        if code in known
    ]
    line = refuse_reason(known, data["reasons"], data["note"], language)
    return msgspec.structs.replace(payload, refuse_reason=line, reasons=coded)
