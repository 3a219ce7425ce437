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
_COUNT_SIGNATURE = f"""UPDATE chain SET seq = seq + 1
  WHERE subject = '{Counter.SIGNATURES}' AND subject_id = $1"""
_FIND = f"SELECT {_COLUMNS} FROM chain WHERE subject = $1 AND subject_id = $2"
_BETWEEN = f"""SELECT {_COLUMNS} FROM chain
  WHERE subject = $1 AND subject_id > $2 AND subject_id <= $3 ORDER BY subject_id"""
_AFTER = f"""SELECT {_COLUMNS} FROM chain
  WHERE (subject, subject_id) > ($1, $2) ORDER BY subject, subject_id LIMIT $3"""


class End(msgspec.Struct, frozen=True):
    """The end of a chain, or a count: then `seq` is the number.

    `hash` of a count of signatures is the number at the last verification, in digits: only that is under the
    MAC, because a create adds one and must not take longer.
    """

    subject: str
    subject_id: int
    seq: int
    hash: bytes
    mac: bytes | None

    def is_sealed(self, key: bytes) -> bool:
        """Return whether the MAC is the one under `key`."""
        return self.mac == _mac(key, self.subject, self.subject_id, self.seq, self.hash)


async def put(tx: Tx, subject: str, subject_id: int, seq: int, digest: bytes) -> None:
    """Set the end of a chain."""
    await tx.run(_PUT + _UPDATE, *_row(tx, subject, subject_id, seq, digest))


async def count_one_more(tx: Tx, counter: Counter) -> None:
    """Count a new account or application; the row stays locked until the transaction ends."""
    row = await tx.one(_FIND + " {lock}", str(counter), 0)
    await put(tx, counter, 0, (int(row[2]) if row else 0) + 1, GENESIS)


async def put_signatures(tx: Tx, app_id: int, count: int) -> None:
    """Set how many signatures an application has, now and at the last verification."""
    await put(tx, Counter.SIGNATURES, app_id, count, b"%d" % count)


async def count_signature(tx: Tx, app_id: int) -> None:
    """Count a new signature of an application."""
    await tx.run(_COUNT_SIGNATURE, app_id)


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
    return str(subject), subject_id, seq, digest, _mac(tx.ledger_key, subject, subject_id, seq, digest)


def _mac(key: bytes, subject: str, subject_id: int, seq: int, digest: bytes) -> bytes:
    return events.seal(key, subject, subject_id, 0 if subject == Counter.SIGNATURES else seq, digest)
