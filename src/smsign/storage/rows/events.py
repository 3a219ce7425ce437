"""Rows of `event` and `chain`, the audit log: hash chains that are only appended to."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from smsign.domain import events
from smsign.domain.events import GENESIS, Event, Kind, Subject
from smsign.storage.engine.protocol import Reader, Tx

_COLUMNS = "id, subject, subject_id, seq, kind, at, actor, data, prev_hash, hash"
_OF_SUBJECT = f"SELECT {_COLUMNS} FROM event WHERE subject = $1 AND subject_id = $2 ORDER BY seq"
_WALK = f"""SELECT {_COLUMNS} FROM event
  WHERE (subject, subject_id, seq) > ($1, $2, $3) ORDER BY subject, subject_id, seq LIMIT $4"""

# In pages, so that no statement takes time in proportion to the log. Scalar subqueries, because for a join
# PostgreSQL may read the whole other table for each page.
_ENDS = """SELECT subject, subject_id, seq, hash IS DISTINCT FROM (
    SELECT event.hash FROM event
    WHERE event.subject = chain.subject AND event.subject_id = chain.subject_id AND event.seq = chain.seq)
  FROM chain WHERE (subject, subject_id) > ($1, $2) ORDER BY subject, subject_id LIMIT $3"""
_AFTER_ENDS = """SELECT id, subject, subject_id, seq, coalesce(seq > (SELECT chain.seq FROM chain
    WHERE chain.subject = event.subject AND chain.subject_id = event.subject_id), TRUE)
  FROM event WHERE id > $1 ORDER BY id LIMIT $2"""
PAGE = 2000
FIRST = -(2**63)
"""Below every possible id, also one of a forged row."""

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
    head = None if first else await find_head(tx, subject, subject_id)
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
    await tx.run(
        """INSERT INTO chain (subject, subject_id, seq, hash) VALUES ($1, $2, $3, $4)
        ON CONFLICT (subject, subject_id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash""",
        str(subject),
        subject_id,
        seq,
        digest,
    )
    return seq


async def find_head(db: Reader, subject: str, subject_id: int) -> tuple[int, bytes] | None:
    """Return the number and hash of the subject's last event, or None."""
    row = await db.one(
        "SELECT seq, hash FROM chain WHERE subject = $1 AND subject_id = $2", str(subject), subject_id
    )
    return (int(row[0]), bytes(row[1])) if row else None


async def list_(db: Reader, subject: Subject, subject_id: int) -> list[Event]:
    """Return a subject's events, the first one first."""
    return [Event(*row) for row in await db.all(_OF_SUBJECT, str(subject), subject_id)]


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
        last = await db.one(_LAST)
        before = (last[0] or 0) + 1 if last else 1
    end = before - SEARCH_IDS
    rows = await db.all(_SEARCH, before, kind, actor, subject, subject_id, limit + 1, end)
    if len(rows) > limit:
        return [Event(*row) for row in rows[:limit]], int(rows[limit - 1][0])
    return [Event(*row) for row in rows], end if end > 1 else None


async def list_after(db: Reader, after: tuple[str, int, int], *, limit: int) -> list[Event]:
    """Return up to `limit` events of all chains, chain by chain, after (subject, subject_id, seq)."""
    return [Event(*row) for row in await db.all(_WALK, *after, limit)]


async def find_truncated(db: Reader) -> str | None:
    """Return the first chain whose recorded last event is missing or different, in words, or None."""
    at: tuple[str, int] = ("", 0)
    while page := await db.all(_ENDS, *at, PAGE):
        for subject, subject_id, seq, differs in page:
            if differs:
                return f"{subject} {subject_id}: event {seq}, the last on record, is missing or different"
        at = page[-1][0], page[-1][1]
    return None


async def find_appended(db: Reader) -> str | None:
    """Return the first event after its chain's recorded end, in words, or None."""
    at = FIRST
    while page := await db.all(_AFTER_ENDS, at, PAGE):
        for at, subject, subject_id, seq, is_after in page:
            if is_after:
                return f"{subject} {subject_id}: event {seq} comes after the last on record (row {at})"
    return None
