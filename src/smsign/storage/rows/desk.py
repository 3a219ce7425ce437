"""Reads of the desk: the audit queue, who holds a lease, and whether anything changed.

Signatures of test applications, which are decided automatically, are not in the queue, except those with the
content that stays pending.
"""

from __future__ import annotations

import msgspec

from smsign.domain.sandbox import PENDING
from smsign.storage.engine.protocol import Reader


class Waiting(msgspec.Struct, frozen=True):
    """A row of the queue. `holder` is the actor with the lease, or None."""

    id: int
    app_id: int
    app_name: str
    content: str
    version: int
    submitted_at: int
    holder: str | None
    images: int
    is_test: int


_QUEUE = """SELECT signature.id, signature.app_id, app.name, signature.content, signature.version,
    signature.submitted_at, lease.actor,
    (SELECT count(*) FROM image WHERE image.signature_id = signature.id
      AND image.version = signature.version),
    CASE WHEN app.test_delay_ms IS NULL THEN 0 ELSE 1 END
  FROM signature JOIN app ON app.id = signature.app_id
  LEFT JOIN lease ON lease.signature_id = signature.id AND lease.until > $1
  WHERE signature.status = 0 AND signature.deleted_at IS NULL
    AND (signature.submitted_at, signature.id) > ($2, $3)
    AND (app.test_delay_ms IS NULL OR signature.content = $5)
  ORDER BY signature.submitted_at, signature.id LIMIT $4"""

_NEXT = """SELECT signature.id FROM signature JOIN app ON app.id = signature.app_id
  LEFT JOIN lease ON lease.signature_id = signature.id AND lease.until > $1 AND lease.actor <> $2
  WHERE signature.status = 0 AND signature.deleted_at IS NULL AND lease.signature_id IS NULL
    AND (signature.submitted_at, signature.id) > ($3, $4)
    AND (app.test_delay_ms IS NULL OR signature.content = $5)
  ORDER BY signature.submitted_at, signature.id LIMIT 1"""


async def list_waiting(
    db: Reader, *, now: int, after: tuple[int, int] = (0, 0), limit: int = 50
) -> list[Waiting]:
    """Return up to `limit` of the queue, oldest first, after the (submitted_at, id) given."""
    return [Waiting(*row) for row in await db.all(_QUEUE, now, *after, limit, PENDING)]


async def find_next(db: Reader, *, actor: str, now: int, after: tuple[int, int] = (0, 0)) -> int | None:
    """Return the oldest without a lease of another auditor, after the (submitted_at, id) given, or None."""
    row = await db.one(_NEXT, now, actor, *after, PENDING)
    return int(row[0]) if row else None


async def get_state(db: Reader, *, now: int) -> tuple[int, int, int]:
    """Return numbers that change whenever the queue or a lease does."""
    event = await db.one("SELECT max(id) FROM event")
    lease = await db.one("SELECT count(*), max(taken_at) FROM lease WHERE until > $1", now)
    assert event is not None
    assert lease is not None
    return event[0] or 0, lease[0], lease[1] or 0
