"""Reads for test applications: which signatures are to be decided automatically, and when."""

from __future__ import annotations

import msgspec

from smsign.domain.sandbox import PENDING
from smsign.storage.engine.protocol import Reader


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
