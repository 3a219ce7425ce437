"""Rows of `callback`. Removal is a soft delete: the row stays for the ledger."""

from __future__ import annotations

from smsign.domain.callbacks import Callback
from smsign.storage.engine.protocol import Reader, Tx

_COLUMNS = """callback.id, callback.app_id, callback.url, callback.form, callback.decisions_only,
  callback.secret_sealed, callback.old_secret_sealed, callback.old_secret_until, callback.state,
  callback.why, callback.failures, callback.failing_since, callback.created_at"""

_FIND = f"""SELECT {_COLUMNS} FROM callback
  WHERE callback.app_id = $1 AND callback.id = $2 AND callback.deleted_at IS NULL"""
_OF_APP = f"""SELECT {_COLUMNS} FROM callback
  WHERE callback.app_id = $1 AND callback.deleted_at IS NULL ORDER BY callback.id"""
_ANY = f"SELECT {_COLUMNS} FROM callback WHERE callback.id = $1 AND callback.deleted_at IS NULL"
_DUE = """SELECT callback.id, callback.failures FROM callback
  WHERE callback.state = 'active' AND callback.deleted_at IS NULL AND EXISTS (
    SELECT 1 FROM outbox WHERE outbox.callback_id = callback.id
      AND outbox.due_at <= $1 AND outbox.leased_until <= $1)"""


async def find(db: Reader, app_id: int, callback_id: int) -> Callback | None:
    """Return the application's callback, or None."""
    row = await db.one(_FIND, app_id, callback_id)
    return Callback(*row) if row else None


async def find_any(db: Reader, callback_id: int) -> Callback | None:
    """Return a callback of any application, for the worker, or None."""
    row = await db.one(_ANY, callback_id)
    return Callback(*row) if row else None


async def list_(db: Reader, app_id: int) -> list[Callback]:
    """Return the application's callbacks, the oldest first."""
    return [Callback(*row) for row in await db.all(_OF_APP, app_id)]


async def list_due(db: Reader, *, now: int) -> list[tuple[int, int]]:
    """Return (id, consecutive failures) of the callbacks with a due event that is not leased."""
    return [(int(row[0]), int(row[1])) for row in await db.all(_DUE, now)]


async def insert(
    tx: Tx, *, app_id: int, url: str, format: str, decisions_only: bool, secret_sealed: bytes | None, now: int
) -> int:
    """Insert a callback; return its id."""
    row = await tx.one(
        """INSERT INTO callback
          (app_id, url, form, decisions_only, secret_sealed, state, why, failures, created_at)
        VALUES ($1, $2, $3, $4, $5, 'active', '', 0, $6) RETURNING id""",
        app_id,
        url,
        format,
        int(decisions_only),
        secret_sealed,
        now,
    )
    return int(row[0]) if row else 0


async def update_secret(
    tx: Tx, callback: Callback, *, secret_sealed: bytes, old_secret_until: int | None
) -> None:
    """Replace the secret; until `old_secret_until`, if given, requests are signed with the old one too."""
    await tx.run(
        """UPDATE callback SET secret_sealed = $2, old_secret_sealed = $3, old_secret_until = $4
        WHERE id = $1""",
        callback.id,
        secret_sealed,
        callback.secret_sealed if old_secret_until is not None else None,
        old_secret_until,
    )


async def update_state(tx: Tx, callback_id: int, *, state: str, why: str) -> None:
    """Pause or resume a callback; reset its count of failures."""
    await tx.run(
        "UPDATE callback SET state = $2, why = $3, failures = 0, failing_since = NULL WHERE id = $1",
        callback_id,
        state,
        why,
    )


async def count_failure(tx: Tx, callback_id: int, *, now: int) -> int:
    """Count a failure; return the number of consecutive ones."""
    row = await tx.one(
        """UPDATE callback SET failures = failures + 1, failing_since = coalesce(failing_since, $2)
        WHERE id = $1 RETURNING failures""",
        callback_id,
        now,
    )
    return int(row[0]) if row else 0


async def clear_failures(tx: Tx, callback_id: int) -> int:
    """Reset the count of failures after a success; return what it was."""
    row = await tx.one("SELECT failures FROM callback WHERE id = $1", callback_id)
    failures = int(row[0]) if row else 0
    if failures:
        await tx.run("UPDATE callback SET failures = 0, failing_since = NULL WHERE id = $1", callback_id)
    return failures


async def update_deleted(tx: Tx, callback_id: int, *, now: int) -> None:
    """Soft-delete a callback; its rows of the outbox are deleted later by `outbox.sweep`."""
    await tx.run("UPDATE callback SET deleted_at = $2 WHERE id = $1", callback_id, now)
