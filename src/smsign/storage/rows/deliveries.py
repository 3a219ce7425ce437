"""Rows of `delivery`: each attempt, with its request and response."""

from __future__ import annotations

import msgspec

from smsign.domain.callbacks import DELIVERED, FAILED, Delivery, OutgoingRequest, Response
from smsign.storage.engine.protocol import Reader, Tx
from smsign.storage.rows.outbox import LeasedRow

_COLUMNS = """id, callback_id, event_id, signature_id, seq, kind, attempt, state, at, ms, url, headers,
  body, status, answer, error"""

_FIND = f"SELECT {_COLUMNS} FROM delivery WHERE callback_id = $1 AND id = $2"
_LIST = f"SELECT {_COLUMNS} FROM delivery WHERE callback_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
_BY_STATE = f"""SELECT {_COLUMNS} FROM delivery
  WHERE callback_id = $1 AND state = $4 AND id < $2 ORDER BY id DESC LIMIT $3"""
NEWEST = 2**62


async def find(db: Reader, callback_id: int, delivery_id: int) -> Delivery | None:
    """Return an attempt, or None."""
    row = await db.one(_FIND, callback_id, delivery_id)
    return Delivery(*row) if row else None


async def list_(
    db: Reader, callback_id: int, *, state: str = "", before: int = NEWEST, limit: int = 20
) -> list[Delivery]:
    """Return up to `limit` attempts with ids under `before`, the newest first; an empty `state` means all."""
    args = (callback_id, before, limit)
    rows = await (db.all(_BY_STATE, *args, state) if state else db.all(_LIST, *args))
    return [Delivery(*row) for row in rows]


async def insert(
    tx: Tx, row: LeasedRow, *, kind: str, request: OutgoingRequest, response: Response, at: int
) -> None:
    """Record an attempt."""
    await tx.run(
        """INSERT INTO delivery (callback_id, event_id, signature_id, seq, kind, attempt, state, at, ms,
          url, headers, body, status, answer, error)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)""",
        row.callback_id,
        row.event_id,
        row.signature_id,
        row.seq,
        kind,
        row.attempts + 1,
        DELIVERED if response.is_success else FAILED,
        at,
        response.ms,
        request.url,
        msgspec.json.encode(request.headers).decode(),
        request.body,
        response.status,
        response.text,
        response.error,
    )


async def sweep(tx: Tx, *, before: int, limit: int) -> int:
    """Delete up to `limit` attempts made before `before`, the oldest first; return how many."""
    rows = await tx.all(
        """DELETE FROM delivery WHERE id IN (
          SELECT id FROM (SELECT id, at FROM delivery ORDER BY id LIMIT $2) AS oldest WHERE at < $1)
        RETURNING id""",
        before,
        limit,
    )
    return len(rows)
