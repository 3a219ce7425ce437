"""Test applications: which signatures are to be decided automatically, and when; the reset of an emulator."""

from __future__ import annotations

import msgspec

from smsign.domain.events import GENESIS, Counter, Subject
from smsign.domain.sandbox import PENDING
from smsign.storage.engine.protocol import Reader, Tx
from smsign.storage.ledger import chains
from smsign.storage.rows import events


class Due(msgspec.Struct, frozen=True):
    """A version to be decided at `at`, UTC microseconds."""

    app_id: int
    signature_id: int
    version: int
    at: int


_WAITING = """SELECT app.id, signature.id, signature.version,
    signature.submitted_at + app.test_delay_ms * 1000 AS due
  FROM app JOIN signature ON signature.app_id = app.id
  WHERE app.test_delay_ms IS NOT NULL AND signature.status = 0 AND signature.deleted_at IS NULL
    AND signature.content <> $1
  ORDER BY due LIMIT $2"""


async def list_waiting(db: Reader, *, limit: int) -> list[Due]:
    """Return up to `limit` versions to be decided, the earliest due first."""
    return [Due(*row) for row in await db.all(_WAITING, PENDING, limit)]


async def has_any(db: Reader) -> bool:
    """Return whether there is a test application."""
    return await db.one("SELECT 1 FROM app WHERE test_delay_ms IS NOT NULL LIMIT 1") is not None


async def delete_all_but(tx: Tx, app_id: int) -> None:
    """Delete all signatures, callbacks, events and applications, except the application `app_id`.

    It is as new afterwards: its chain has only its first event. Accounts stay, and ids are not used twice.
    """
    for table in (
        *("delivery", "outbox", "callback", "submissions", "idempotency"),
        *("lease", "decision_reason", "decision", "image", "version", "signature"),
    ):
        await tx.run(f"DELETE FROM {table}")
    for table in ("invitation", "app_owner"):
        await tx.run(f"DELETE FROM {table} WHERE app_id <> $1", app_id)
    for table in ("event", "chain"):
        await tx.run(
            f"DELETE FROM {table} WHERE subject LIKE 'signature%' OR subject = 'app' AND subject_id <> $1",
            app_id,
        )
    await tx.run("DELETE FROM event WHERE subject = 'app' AND seq > 1")
    [first] = await events.list_(tx, Subject.APP, app_id)
    await chains.put(tx, Subject.APP, app_id, first.seq, first.hash)
    await chains.put(tx, Counter.APPS, 0, 1, GENESIS)
    await chains.put_signatures(tx, app_id, 0)
    await tx.run("DELETE FROM app WHERE id <> $1", app_id)
    await tx.run("UPDATE app SET in_use_id = NULL, sms_open = 1, use_by_hand = 0, submissions_a_day = 0")
