"""Send events to a callback again: one delivery, or all events of a period."""

from __future__ import annotations

from smsign.actions.callbacks import get, update
from smsign.domain import callbacks
from smsign.domain.apps import App
from smsign.domain.callbacks import Callback
from smsign.domain.events import Kind, Subject
from smsign.errors import ApiError, Code
from smsign.storage.engine.protocol import Database, Tx
from smsign.storage.rows import apps as app_rows
from smsign.storage.rows import deliveries, events, outbox

PAGE = 500


async def resend(db: Database, *, app: App, callback_id: int, delivery_id: int, actor: str, now: int) -> None:
    """Deliver the event of a delivery to the callback again.

    Raises: ApiError 51004.
    """
    await get(db.read, app, callback_id)
    delivery = await deliveries.find(db.read, callback_id, delivery_id)
    if delivery is None:
        raise callbacks.unknown("delivery_id")

    async def change(tx: Tx) -> None:
        await outbox.lock_signature(tx, delivery.signature_id)
        await app_rows.lock(tx, app.id)
        await get(tx, app, callback_id)
        await outbox.replay_one(tx, delivery, now=now)
        await outbox.promote_next(
            tx, callback_id, first=delivery.signature_id, last=delivery.signature_id, now=now
        )
        data = {"callback_id": callback_id, "event_id": delivery.event_id}
        await events.append(tx, Subject.APP, app.id, Kind.CALLBACK_RESENT, actor=actor, now=now, data=data)

    await db.write(change)


async def replay(
    db: Database, *, app: App, callback_id: int, since: int, until: int, actor: str, now: int
) -> int:
    """Deliver all events from `since` until before `until` to the callback again; return their number.

    Events that are in the outbox already are not added again. Each page of signatures is one transaction.

    Raises: ApiError 51004; 51001 for an empty period.
    """
    if since >= until:
        raise ApiError.of(
            Code.INVALID_PARAMETER,
            "until",
            "not after since",
            "不晚于 since",
            "send a later time",
            "请给出更晚的时间",
        )

    async def nothing(tx: Tx, callback: Callback) -> None:
        pass

    period = {"since": since, "until": until}
    callback = await update(db, app, callback_id, Kind.CALLBACK_REPLAYED, nothing, actor, now, period)
    total, after = 0, 0
    while True:

        async def page(tx: Tx, after: int = after) -> tuple[int, int]:
            span = await outbox.lock_signatures(tx, app.id, after=after, limit=PAGE)
            if span is None:
                return 0, 0
            first, last = span
            count = await outbox.replay(
                tx,
                callback_id,
                app_id=app.id,
                first=first,
                last=last,
                since=since,
                until=until,
                decisions_only=bool(callback.decisions_only),
                now=now,
            )
            await outbox.promote_next(tx, callback_id, first=first, last=last, now=now)
            return count, last

        count, after = await db.write(page)
        total += count
        if not after:
            return total
