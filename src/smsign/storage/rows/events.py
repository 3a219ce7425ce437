"""Rows of `event`, the audit log: hash chains that are only appended to."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from smsign.domain import events
from smsign.domain.events import GENESIS, Event, Kind, Subject
from smsign.storage.engine.protocol import Reader, Tx
from smsign.storage.ledger import chains

_COLUMNS = "id, subject, subject_id, seq, kind, at, actor, data, prev_hash, hash"
_OF_SUBJECT = f"SELECT {_COLUMNS} FROM event WHERE subject = $1 AND subject_id = $2 ORDER BY seq"
_BETWEEN = f"""SELECT {_COLUMNS} FROM event
  WHERE subject = $1 AND subject_id > $2 AND subject_id <= $3 ORDER BY subject_id, seq"""
_HASH = "SELECT hash FROM event WHERE subject = $1 AND subject_id = $2 AND seq = $3"
_CHANGED = """SELECT DISTINCT subject, subject_id FROM event WHERE id > $1 AND id <= $2"""

_SEARCH = f"""SELECT {_COLUMNS} FROM event
  WHERE id < $1 AND id >= $7 AND ($2 = '' OR kind = $2) AND ($3 = '' OR actor LIKE $3 ESCAPE '!')
    AND ($4 = '' OR subject = $4) AND (subject_id = $5 OR $5 = 0)
  ORDER BY id DESC LIMIT $6"""
_LAST = "SELECT max(id) FROM event"
SEARCH_IDS = 20_000
"""How many ids one search reads: events are compared row by row, and a page must not wait for all of them."""


async def append(
    tx: Tx,
    subject: Subject,
    subject_id: int,
    kind: Kind,
    *,
    actor: str,
    now: int,
    data: Mapping[str, object] | None = None,
    first: bool = False,
) -> int:
    """Append an event to its subject's hash chain; return its number in the chain.

    The caller holds the lock on the subject's row, so that no other writer appends at the same time.
    `first` saves the read of the chain's end when the subject was created in this transaction.
    """
    head = None if first else await chains.find(tx, subject, subject_id)
    seq, prev_hash = (head[0] + 1, head[1]) if head else (1, GENESIS)
    text = msgspec.json.encode(data or {}).decode()
    digest = events.digest(prev_hash, subject, subject_id, seq, kind, now, actor, text)
    await tx.run(
        """INSERT INTO event (subject, subject_id, seq, kind, at, actor, data, prev_hash, hash)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
        str(subject),
        subject_id,
        seq,
        str(kind),
        now,
        actor,
        text,
        prev_hash,
        digest,
    )
    await chains.put(tx, subject, subject_id, seq, digest)
    return seq


async def list_(db: Reader, subject: Subject, subject_id: int) -> list[Event]:
    """Return a subject's events, the first one first."""
    return [Event(*row) for row in await db.all(_OF_SUBJECT, str(subject), subject_id)]


async def list_security(db: Reader, account_id: int, *, limit: int) -> list[Event]:
    """Return the newest events of an account that its owner should notice, the newest first."""
    kinds = ", ".join(f"'{kind}'" for kind in events.SECURITY)
    sql = f"""SELECT {_COLUMNS} FROM event WHERE subject = $1 AND subject_id = $2 AND kind IN ({kinds})
      ORDER BY seq DESC LIMIT $3"""
    return [Event(*row) for row in await db.all(sql, str(Subject.ACCOUNT), account_id, limit)]


async def search(
    db: Reader,
    *,
    kind: str = "",
    actor: str = "",
    subject: str = "",
    subject_id: int = 0,
    before: int | None = None,
    limit: int = 50,
) -> tuple[list[Event], int | None]:
    """Return up to `limit` events, the newest first; empty filters match all, `actor` is a LIKE pattern.

    The second value is where to continue the search, or None at its end.
    """
    if before is None:
        before = await get_last_id(db) + 1
    end = before - SEARCH_IDS
    rows = await db.all(_SEARCH, before, kind, actor, subject, subject_id, limit + 1, end)
    if len(rows) > limit:
        return [Event(*row) for row in rows[:limit]], int(rows[limit - 1][0])
    return [Event(*row) for row in rows], end if end > 1 else None


async def list_between(db: Reader, subject: str, after: int, until: int) -> dict[int, list[Event]]:
    """Return the events of the subjects with ids above `after` and up to `until`, by id, in order."""
    found: dict[int, list[Event]] = {}
    for row in await db.all(_BETWEEN, subject, after, until):
        event = Event(*row)
        found.setdefault(event.subject_id, []).append(event)
    return found


async def list_changed(db: Reader, after: int, until: int) -> list[tuple[str, int]]:
    """Return the subjects that have events with ids above `after` and up to `until`."""
    return [(str(row[0]), int(row[1])) for row in await db.all(_CHANGED, after, until)]


async def find_hash(db: Reader, subject: str, subject_id: int, seq: int) -> bytes | None:
    """Return the hash of an event, or None."""
    row = await db.one(_HASH, subject, subject_id, seq)
    return bytes(row[0]) if row else None


async def get_last_id(db: Reader) -> int:
    """Return the id of the newest event, or 0."""
    row = await db.one(_LAST)
    return int(row[0] or 0) if row else 0
