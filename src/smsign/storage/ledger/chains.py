"""Rows of `chain`: the end of each hash chain, and how many rows of a kind exist, each under a MAC."""

from __future__ import annotations

import msgspec

from smsign.domain import events
from smsign.domain.events import GENESIS, Counter, Subject
from smsign.storage.engine.protocol import Reader, Tx

_COLUMNS = "subject, subject_id, seq, hash, mac"
_PUT = f"INSERT INTO chain ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5)"
_UPDATE = """ ON CONFLICT (subject, subject_id)
  DO UPDATE SET seq = excluded.seq, hash = excluded.hash, mac = excluded.mac"""
_COUNT = f"""{_PUT} ON CONFLICT (subject, subject_id) DO UPDATE
  SET seq = CASE WHEN chain.seq < excluded.seq THEN excluded.seq END, mac = excluded.mac"""
"""Fails on a count that was read before another transaction changed it: `seq` must not be NULL."""
_FIND = f"SELECT {_COLUMNS} FROM chain WHERE subject = $1 AND subject_id = $2"
_BETWEEN = f"""SELECT {_COLUMNS} FROM chain
  WHERE subject = $1 AND subject_id > $2 AND subject_id <= $3 ORDER BY subject_id"""
_AFTER = f"""SELECT {_COLUMNS} FROM chain
  WHERE (subject, subject_id) > ($1, $2) ORDER BY subject, subject_id LIMIT $3"""

COUNT_OF_APP = f"""(SELECT seq FROM chain
  WHERE chain.subject = '{Counter.SIGNATURES}' AND chain.subject_id = signature.app_id)"""
"""How many signatures the application of a row of `signature` has."""


class End(msgspec.Struct, frozen=True):
    """The end of a chain, or a count: then `seq` is the number and `hash` is empty."""

    subject: str
    subject_id: int
    seq: int
    hash: bytes
    mac: bytes | None

    def is_sealed(self, key: bytes) -> bool:
        """Return whether the MAC is the one under `key`."""
        return self.mac == events.seal(key, self.subject, self.subject_id, self.seq, self.hash)


async def put(tx: Tx, subject: str, subject_id: int, seq: int, digest: bytes) -> None:
    """Set the end of a chain."""
    await tx.run(_PUT + _UPDATE, *_row(tx, subject, subject_id, seq, digest))


async def put_count(tx: Tx, counter: Counter, subject_id: int, count: int) -> None:
    """Set how many rows there are.

    Raises: StorageError if another transaction has counted as many.
    """
    await tx.run(_COUNT, *_row(tx, counter, subject_id, count, GENESIS))


async def count_one_more(tx: Tx, counter: Counter) -> None:
    """Count a new account or application; the row stays locked until the transaction ends."""
    row = await tx.one(_FIND + " {lock}", str(counter), 0)
    await put_count(tx, counter, 0, (int(row[2]) if row else 0) + 1)


async def find(db: Reader, subject: str, subject_id: int) -> tuple[int, bytes] | None:
    """Return the number and hash of the subject's last event, or None."""
    row = await db.one(_FIND, str(subject), subject_id)
    return (int(row[2]), bytes(row[3])) if row else None


async def list_between(db: Reader, subject: str, after: int, until: int) -> dict[int, End]:
    """Return the ends of the subjects with ids above `after` and up to `until`, by id."""
    return {int(row[1]): End(*row) for row in await db.all(_BETWEEN, str(subject), after, until)}


async def lock(tx: Tx, counter: Counter, after: int, until: int) -> None:
    """Lock counts until the transaction ends, so that nothing is counted meanwhile."""
    await tx.all(_BETWEEN + " {lock}", str(counter), after, until)


async def list_unknown(db: Reader) -> list[str]:
    """Return the subjects of chains and events that smsign does not know; each is one step in an index."""
    known, unknown = {*Subject, *Counter}, set()
    for table in ("chain", "event"):
        sql, at = f"SELECT subject FROM {table} WHERE subject > $1 ORDER BY subject LIMIT 1", ""
        while row := await db.one(sql, at):
            at = str(row[0])
            if at not in known:
                unknown.add(at)
    return sorted(unknown)


async def list_after(db: Reader, subject: str, subject_id: int, *, limit: int) -> list[End]:
    """Return up to `limit` ends behind the one given, in order."""
    return [End(*row) for row in await db.all(_AFTER, subject, subject_id, limit)]


def _row(tx: Tx, subject: str, subject_id: int, seq: int, digest: bytes) -> tuple[object, ...]:
    mac = events.seal(tx.ledger_key, subject, subject_id, seq, digest)
    return str(subject), subject_id, seq, digest, mac
