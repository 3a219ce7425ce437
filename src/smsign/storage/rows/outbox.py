"""Rows of `outbox`: events to be delivered to callbacks, in order.

For each callback and signature only the earliest row has a `due_at`, so only it may be leased. Who inserts or
deletes rows holds the lock on the signature's row, and calls `promote_next` afterwards.
"""

from __future__ import annotations

import msgspec

from smsign.domain.callbacks import Delivery
from smsign.domain.events import DECISIONS, Kind
from smsign.storage.engine.protocol import Reader, Tx


class LeasedRow(msgspec.Struct, frozen=True):
    """A row leased to a worker. `attempts` is the number of failed ones before."""

    callback_id: int
    signature_id: int
    seq: int
    event_id: int
    attempts: int
    lease: str


class Backlog(msgspec.Struct, frozen=True):
    """The number of undelivered events, and when the oldest was created (UTC microseconds)."""

    size: int = 0
    oldest_at: int | None = None


_INSERT = """INSERT INTO outbox (callback_id, signature_id, seq, event_id, due_at, created_at)
  SELECT callback.id, event.subject_id, event.seq, event.id,
    CASE WHEN EXISTS (SELECT 1 FROM outbox AS earlier
      WHERE earlier.callback_id = callback.id AND earlier.signature_id = $2)
    THEN NULL ELSE CAST($4 AS {int}) END, $4
  FROM callback JOIN event ON event.subject = 'signature' AND event.subject_id = $2 AND event.seq = $3
  WHERE callback.app_id = $1 AND callback.deleted_at IS NULL
    AND (callback.decisions_only = 0 OR $5 = 1)"""

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

_REPLAY = """INSERT INTO outbox (callback_id, signature_id, seq, event_id, created_at)
  SELECT $1, event.subject_id, event.seq, event.id, $2
  FROM signature JOIN event ON event.subject = 'signature' AND event.subject_id = signature.id
  WHERE signature.app_id = $3 AND signature.id BETWEEN $4 AND $5
    AND event.at >= $6 AND event.at < $7
    AND ($8 = 0 OR event.kind IN ('signature.passed', 'signature.refused'))
  ON CONFLICT (callback_id, signature_id, seq) DO NOTHING RETURNING seq"""


async def insert(tx: Tx, kind: Kind, *, app_id: int, signature_id: int, seq: int, now: int) -> None:
    """Insert an event of a signature for each callback of its application.

    The caller holds the lock on the signature's row. Only the earliest event of a signature is due.
    """
    await tx.run(_INSERT, app_id, signature_id, seq, now, int(kind in DECISIONS))


async def claim(tx: Tx, callback_id: int, *, lease: str, until: int, now: int, limit: int) -> list[LeasedRow]:
    """Lease up to `limit` due rows of a callback until `until`, the earliest due first."""
    rows = await tx.all(_CLAIM, callback_id, now, lease, until, limit)
    return [LeasedRow(*row) for row in rows]


async def lock_signature(tx: Tx, signature_id: int) -> None:
    """Lock the signature's row, deleted or not, so that nobody else changes its rows of the outbox."""
    await tx.one("SELECT id FROM signature WHERE id = $1 {lock}", signature_id)


async def delete(tx: Tx, row: LeasedRow) -> bool:
    """Delete a delivered row; return False if its lease was lost."""
    gone = await tx.one(
        """DELETE FROM outbox WHERE callback_id = $1 AND signature_id = $2 AND seq = $3 AND lease = $4
        RETURNING seq""",
        row.callback_id,
        row.signature_id,
        row.seq,
        row.lease,
    )
    return gone is not None


async def reschedule(tx: Tx, row: LeasedRow, *, due_at: int) -> bool:
    """End the lease of a failed row and make it due at `due_at`; return False if its lease was lost."""
    updated = await tx.one(
        """UPDATE outbox SET attempts = attempts + 1, due_at = $5, lease = '', leased_until = 0
        WHERE callback_id = $1 AND signature_id = $2 AND seq = $3 AND lease = $4 RETURNING seq""",
        row.callback_id,
        row.signature_id,
        row.seq,
        row.lease,
        due_at,
    )
    return updated is not None


async def release(tx: Tx, row: LeasedRow) -> None:
    """End the lease of a row that was not sent."""
    await tx.run(
        """UPDATE outbox SET lease = '', leased_until = 0
        WHERE callback_id = $1 AND signature_id = $2 AND seq = $3 AND lease = $4""",
        row.callback_id,
        row.signature_id,
        row.seq,
        row.lease,
    )


async def promote_next(tx: Tx, callback_id: int, *, first: int, last: int, now: int) -> None:
    """Make the earliest row of each signature from `first` to `last` due, if it is not; and no other."""
    await tx.run(_HOLD, callback_id, first, last)
    await tx.run(_PROMOTE, callback_id, first, last, now)


async def restart(tx: Tx, callback_id: int, *, now: int) -> None:
    """Make the rows of a callback due now, with no attempts counted: it was resumed."""
    await tx.run(
        """UPDATE outbox SET attempts = 0, due_at = $2
        WHERE callback_id = $1 AND due_at IS NOT NULL AND (attempts > 0 OR due_at > $2)""",
        callback_id,
        now,
    )


async def retry_now(tx: Tx, callback_id: int, *, now: int) -> None:
    """Make the rows that wait for a retry due now: the callback works again."""
    await tx.run("UPDATE outbox SET due_at = $2 WHERE callback_id = $1 AND due_at > $2", callback_id, now)


async def replay(
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
    """Insert the events of a period again, of the signatures from `first` to `last`; return how many.

    Those that are in the outbox already are not changed.
    """
    rows = await tx.all(_REPLAY, callback_id, now, app_id, first, last, since, until, int(decisions_only))
    return len(rows)


async def replay_one(tx: Tx, delivery: Delivery, *, now: int) -> None:
    """Insert the event of a delivery again; one that waits for a retry becomes due now."""
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
    """Lock up to `limit` signatures of the application, ids above `after`; return the first and last id."""
    sql = "SELECT id FROM signature WHERE app_id = $1 AND id > $2 ORDER BY id LIMIT $3 {lock}"
    ids = [int(row[0]) for row in await tx.all(sql, app_id, after, limit)]
    return (ids[0], ids[-1]) if ids else None


async def count(db: Reader, callback_id: int) -> Backlog:
    """Return the backlog of one callback."""
    row = await db.one("SELECT count(*), min(created_at) FROM outbox WHERE callback_id = $1", callback_id)
    return Backlog(int(row[0]), row[1]) if row else Backlog()


async def count_all(db: Reader) -> Backlog:
    """Return the backlog of all callbacks."""
    row = await db.one(
        """SELECT count(*), min(outbox.created_at) FROM callback
        JOIN outbox ON outbox.callback_id = callback.id WHERE callback.deleted_at IS NULL"""
    )
    return Backlog(int(row[0]), row[1]) if row else Backlog()


async def sweep(tx: Tx, *, limit: int) -> int:
    """Delete up to `limit` rows of removed callbacks; return how many."""
    rows = await tx.all(
        """DELETE FROM outbox WHERE (callback_id, signature_id, seq) IN (
          SELECT outbox.callback_id, outbox.signature_id, outbox.seq FROM callback
          JOIN outbox ON outbox.callback_id = callback.id WHERE callback.deleted_at IS NOT NULL LIMIT $1)
        RETURNING seq""",
        limit,
    )
    return len(rows)
