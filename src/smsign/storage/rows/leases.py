"""Rows of `lease`: which auditor is working on a signature. Times are UTC microseconds."""

from __future__ import annotations

import msgspec

from smsign.storage.engine.protocol import Reader, Tx


class Lease(msgspec.Struct, frozen=True):
    """A row of `lease`, valid until `until`."""

    signature_id: int
    actor: str
    taken_at: int
    until: int


_FIND = "SELECT signature_id, actor, taken_at, until FROM lease WHERE signature_id = $1 AND until > $2"


async def find(db: Reader, signature_id: int, *, now: int) -> Lease | None:
    """Return the lease that is valid at `now`, or None."""
    row = await db.one(_FIND, signature_id, now)
    return Lease(*row) if row else None


async def claim(tx: Tx, signature_id: int, *, actor: str, until: int, now: int) -> bool:
    """Take or renew a lease; return False while another actor holds it."""
    row = await tx.one(
        """INSERT INTO lease (signature_id, actor, taken_at, until) VALUES ($1, $2, $4, $3)
        ON CONFLICT (signature_id) DO UPDATE SET
          taken_at = CASE WHEN lease.actor = excluded.actor AND lease.until > $4
            THEN lease.taken_at ELSE excluded.taken_at END,
          actor = excluded.actor, until = excluded.until
        WHERE lease.actor = excluded.actor OR lease.until <= $4
        RETURNING signature_id""",
        signature_id,
        actor,
        until,
        now,
    )
    return row is not None


async def delete_of(tx: Tx, actor: str) -> None:
    """Delete all leases of `actor`."""
    await tx.run("DELETE FROM lease WHERE actor = $1", actor)


async def delete(tx: Tx, signature_id: int, *, actor: str | None = None) -> None:
    """Delete the lease of a signature; with `actor`, only if it is that actor's."""
    if actor is None:
        await tx.run("DELETE FROM lease WHERE signature_id = $1", signature_id)
    else:
        await tx.run("DELETE FROM lease WHERE signature_id = $1 AND actor = $2", signature_id, actor)
