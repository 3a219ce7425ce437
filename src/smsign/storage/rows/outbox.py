"""Rows of `outbox`: what is still to be told, and whose turn it is.

For each endpoint and signature only the earliest row has a `due_at`: it alone may be claimed. Whoever adds or
takes away rows holds the signature's row, and calls `settle` after.
"""

from __future__ import annotations

import msgspec

from smsign.domain.callbacks import Delivery
from smsign.storage.engine.protocol import Reader, Tx


class Claimed(msgspec.Struct, frozen=True):
    """A row that is leased to a worker. `attempts` is how many have failed before."""

    callback_id: int
    signature_id: int
    seq: int
    event_id: int
    attempts: int
    lease: str


class Backlog(msgspec.Struct, frozen=True):
    """How much waits, and since when the oldest does (UTC microseconds)."""

    size: int = 0
    oldest_at: int | None = None


_CLAIM = """WITH due AS (
    SELECT callback_id, signature_id, seq FROM outbox
    WHERE callback_id = $1 AND due_at <= $2 AND leased_until <= $2
    ORDER BY due_at, event_id LIMIT $5 {claim})
  UPDATE outbox SET lease = $3, leased_until = $4
  WHERE (callback_id, signature_id, seq) IN (SELECT callback_id, signature_id, seq FROM due)
  RETURNING callback_id, signature_id, seq, event_id, attempts, lease"""

_EARLIER = """EXISTS (SELECT 1 FROM outbox AS earlier WHERE earlier.callback_id = outbox.callback_id
    AND earlier.signature_id = outbox.signature_id AND earlier.seq < outbox.seq)"""
_HOLD = f"""UPDATE outbox SET due_at = NULL
  WHERE callback_id = $1 AND signature_id BETWEEN $2 AND $3 AND due_at IS NOT NULL AND {_EARLIER}"""
_PROMOTE = f"""UPDATE outbox SET due_at = $4
  WHERE callback_id = $1 AND signature_id BETWEEN $2 AND $3 AND due_at IS NULL AND NOT {_EARLIER}"""

_PUT = """INSERT INTO outbox (callback_id, signature_id, seq, event_id, created_at)
  SELECT $1, event.subject_id, event.seq, event.id, $2
  FROM signature JOIN event ON event.subject = 'signature' AND event.subject_id = signature.id
  WHERE signature.app_id = $3 AND signature.id BETWEEN $4 AND $5
    AND event.at >= $6 AND event.at < $7
    AND ($8 = 0 OR event.kind IN ('signature.passed', 'signature.refused'))
  ON CONFLICT (callback_id, signature_id, seq) DO NOTHING RETURNING seq"""


async def claim(tx: Tx, callback_id: int, *, lease: str, until: int, now: int, limit: int) -> list[Claimed]:
    """Lease up to `limit` due rows of an endpoint until `until`, those due first first."""
    rows = await tx.all(_CLAIM, callback_id, now, lease, until, limit)
    return [Claimed(*row) for row in rows]


async def lock_signature(tx: Tx, signature_id: int) -> None:
    """Hold the signature's row, deleted or not: nobody else changes its part of the outbox meanwhile."""
    await tx.one("SELECT id FROM signature WHERE id = $1 {lock}", signature_id)


async def delete(tx: Tx, row: Claimed) -> bool:
    """Take away what was told; return False if another worker has it by now."""
    gone = await tx.one(
        """DELETE FROM outbox WHERE callback_id = $1 AND signature_id = $2 AND seq = $3 AND lease = $4
        RETURNING seq""",
        row.callback_id,
        row.signature_id,
        row.seq,
        row.lease,
    )
    return gone is not None


async def update_failed(tx: Tx, row: Claimed, *, due_at: int) -> bool:
    """Let go of a row until it is due again; return False if another worker has it by now."""
    put_off = await tx.one(
        """UPDATE outbox SET attempts = attempts + 1, due_at = $5, lease = '', leased_until = 0
        WHERE callback_id = $1 AND signature_id = $2 AND seq = $3 AND lease = $4 RETURNING seq""",
        row.callback_id,
        row.signature_id,
        row.seq,
        row.lease,
        due_at,
    )
    return put_off is not None


async def release(tx: Tx, row: Claimed) -> None:
    """Let go of a row as it was."""
    await tx.run(
        """UPDATE outbox SET lease = '', leased_until = 0
        WHERE callback_id = $1 AND signature_id = $2 AND seq = $3 AND lease = $4""",
        row.callback_id,
        row.signature_id,
        row.seq,
        row.lease,
    )


async def promote_next(tx: Tx, callback_id: int, *, first: int, last: int, now: int) -> None:
    """Make the earliest row of each signature from `first` to `last` due, if it was not; hold the others."""
    await tx.run(_HOLD, callback_id, first, last)
    await tx.run(_PROMOTE, callback_id, first, last, now)


async def make_due(tx: Tx, callback_id: int, *, now: int) -> None:
    """Make all that waits for another try due at once, its tries counted anew."""
    await tx.run(
        """UPDATE outbox SET attempts = 0, due_at = $2
        WHERE callback_id = $1 AND due_at IS NOT NULL AND (attempts > 0 OR due_at > $2)""",
        callback_id,
        now,
    )


async def retry_now(tx: Tx, callback_id: int, *, now: int) -> None:
    """Make all that waits for another try due at once: the endpoint is well again."""
    await tx.run("UPDATE outbox SET due_at = $2 WHERE callback_id = $1 AND due_at > $2", callback_id, now)


async def put(
    tx: Tx,
    callback_id: int,
    *,
    app_id: int,
    first: int,
    last: int,
    since: int,
    until: int,
    decisions_only: bool,
    now: int,
) -> int:
    """Put the events of a span of time in the outbox again, of the signatures from `first` to `last`.

    Return how many; those that wait in it already stay as they are.
    """
    rows = await tx.all(_PUT, callback_id, now, app_id, first, last, since, until, int(decisions_only))
    return len(rows)


async def put_one(tx: Tx, delivery: Delivery, *, now: int) -> None:
    """Put the event of a delivery in the outbox again; one that waits in it is due at once, unless it waits
    for an earlier one.
    """
    await tx.run(
        """INSERT INTO outbox (callback_id, signature_id, seq, event_id, created_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (callback_id, signature_id, seq) DO UPDATE
        SET due_at = CASE WHEN outbox.due_at IS NULL THEN NULL ELSE CAST($5 AS {int}) END""",
        delivery.callback_id,
        delivery.signature_id,
        delivery.seq,
        delivery.event_id,
        now,
    )


async def lock_signatures(tx: Tx, app_id: int, *, after: int, limit: int) -> tuple[int, int] | None:
    """Hold up to `limit` signatures of the application, ids above `after`; return the first and last."""
    sql = "SELECT id FROM signature WHERE app_id = $1 AND id > $2 ORDER BY id LIMIT $3 {lock}"
    ids = [int(row[0]) for row in await tx.all(sql, app_id, after, limit)]
    return (ids[0], ids[-1]) if ids else None


async def count(db: Reader, callback_id: int) -> Backlog:
    """Return what waits for one endpoint."""
    row = await db.one("SELECT count(*), min(created_at) FROM outbox WHERE callback_id = $1", callback_id)
    return Backlog(int(row[0]), row[1]) if row else Backlog()


async def count_all(db: Reader) -> Backlog:
    """Return what waits for all endpoints that were not removed."""
    row = await db.one(
        """SELECT count(*), min(outbox.created_at) FROM callback
        JOIN outbox ON outbox.callback_id = callback.id WHERE callback.deleted_at IS NULL"""
    )
    return Backlog(int(row[0]), row[1]) if row else Backlog()


async def sweep(tx: Tx, *, limit: int) -> int:
    """Remove up to `limit` rows of endpoints that were removed; return how many went."""
    rows = await tx.all(
        """DELETE FROM outbox WHERE (callback_id, signature_id, seq) IN (
          SELECT outbox.callback_id, outbox.signature_id, outbox.seq FROM callback
          JOIN outbox ON outbox.callback_id = callback.id WHERE callback.deleted_at IS NOT NULL LIMIT $1)
        RETURNING seq""",
        limit,
    )
    return len(rows)
