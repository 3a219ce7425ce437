"""Rows of `idempotency`: idempotency keys, with the request and the result."""

from __future__ import annotations

from smsign.domain.idempotency import Answered
from smsign.storage.engine.protocol import Reader, Tx


async def find(db: Reader, app_id: int, key: str) -> Answered | None:
    """Return the result stored under an application's `key`, or None."""
    row = await db.one(
        "SELECT request_hash, sign_id FROM idempotency WHERE app_id = $1 AND key = $2", app_id, key
    )
    return Answered(bytes(row[0]), int(row[1])) if row else None


async def insert(tx: Tx, app_id: int, key: str, answered: Answered, *, now: int) -> None:
    """Store the result of a request.

    Raises: Conflict when another transaction used the key meanwhile.
    """
    await tx.run(
        """INSERT INTO idempotency (app_id, key, request_hash, sign_id, created_at)
        VALUES ($1, $2, $3, $4, $5)""",
        app_id,
        key,
        answered.request_hash,
        answered.sign_id,
        now,
    )


async def delete_before(tx: Tx, time: int, *, limit: int) -> int:
    """Delete up to `limit` keys created before `time`; return how many."""
    gone = await tx.all(
        """DELETE FROM idempotency WHERE (app_id, key) IN
          (SELECT app_id, key FROM idempotency WHERE created_at < $1 ORDER BY created_at LIMIT $2)
        RETURNING app_id""",
        time,
        limit,
    )
    return len(gone)
