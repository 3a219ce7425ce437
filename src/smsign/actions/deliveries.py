"""Lease what is due in the outbox, prepare its request, and record the attempt.

A row leaves the outbox in the transaction that records its delivery, never before. The lease of a process
that dies in between expires, and the event is delivered again: at least once.
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
WELL_AGAIN = 3
"""So many failures in a row, then one success: what waits for another try is due at once."""
SWEEP_ROWS = 1000


class PreparedDelivery(msgspec.Struct, frozen=True):
    """A claimed row with all that it takes to tell it."""

    row: LeasedRow
    app: App
    callback: Callback
    kind: str
    sent: OutgoingRequest


async def claim(db: Database, wanted: Mapping[int, int], *, lease_s: float, now: int) -> list[LeasedRow]:
    """Lease due rows, of each callback (by id) up to the number wanted, for `lease_s` seconds."""
    lease, until = secrets.token_hex(8), now + int(lease_s * 1_000_000)

    async def change(tx: Tx) -> list[LeasedRow]:
        found = []
        for callback_id, limit in wanted.items():
            found += await outbox.claim(tx, callback_id, lease=lease, until=until, now=now, limit=limit)
        return found

    return await db.write(change)


async def write(
    db: Reader, vault: Vault, row: LeasedRow, *, language: str, now: int
) -> PreparedDelivery | None:
    """Return the request of a leased row, or None if its callback was removed or paused meanwhile."""
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
    sent = format.build(payload, url=callback.url, keys=keys, now=now, nonce=secrets.token_hex(NONCE_BYTES))
    return PreparedDelivery(row, app, callback, payload.kind, sent)


async def record(
    db: Database, prepared: PreparedDelivery, answer: Response, *, chance: float, at: int, now: int
) -> str:
    """Record an attempt made at `at`, delete or reschedule its row; return why the callback is paused.

    The text is empty while it is not. `chance` spreads the next try, between -1 and 1.
    """
    row, format = prepared.row, FORMATS[prepared.callback.format]
    failed = row.attempts + 1

    async def change(tx: Tx) -> tuple[str, bool]:
        await outbox.lock_signature(tx, row.signature_id)
        await deliveries.insert(tx, row, kind=prepared.kind, sent=prepared.sent, answer=answer, at=at)
        if answer.is_success:
            if await outbox.delete(tx, row):
                await _promote_next(tx, row, now)
            return "", await rows.clear_failures(tx, row.callback_id) >= WELL_AGAIN
        due_at = callbacks.next_attempt_at(format, answer, failed=failed, now=now, chance=chance)
        if await outbox.reschedule(tx, row, due_at=due_at):
            await _promote_next(tx, row, now)
        in_a_row = await rows.count_failure(tx, row.callback_id, now=now)
        return callbacks.pause_reason(format, answer, failed=failed, in_a_row=in_a_row), False

    async def retry_now(tx: Tx) -> None:
        await outbox.retry_now(tx, row.callback_id, now=now)

    why, well_again = await db.write(change)
    if well_again:
        await db.write(retry_now)
    if why:
        await callback_actions.pause(
            db, app=prepared.app, callback_id=row.callback_id, why=why, actor=ACTOR, now=now
        )
    return why


async def release(db: Database, row: LeasedRow) -> None:
    """Release the lease of a row that was not sent."""

    async def change(tx: Tx) -> None:
        await outbox.release(tx, row)

    await db.write(change)


async def sweep(db: Database, *, keep_days: int, now: int) -> int:
    """Delete old deliveries and the outbox of removed callbacks; return the number of rows."""
    before = now - keep_days * 86_400_000_000
    gone = 0
    while True:

        async def change(tx: Tx) -> int:
            swept = await outbox.sweep(tx, limit=SWEEP_ROWS)
            if keep_days:
                swept += await deliveries.sweep(tx, before=before, limit=SWEEP_ROWS)
            return swept

        swept = await db.write(change)
        gone += swept
        if not swept:
            return gone


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
