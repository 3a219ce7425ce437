"""Rows of `signature`, `version` and `image`. Statements for an application take its `app_id`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from smsign.domain.apps import App
from smsign.domain.images import Image
from smsign.domain.sandbox import PENDING
from smsign.domain.signatures import ID_MAX, Signature, Status, Submission, Version
from smsign.storage.engine.protocol import Reader, Tx

COLUMNS = "id, app_id, content, status, version, created_at, submitted_at"

_FIND_WITH_APP = f"""SELECT {", ".join(f"app.{name}" for name in App.__struct_fields__)},
    {", ".join(f"signature.{name}" for name in Signature.__struct_fields__)}
  FROM app LEFT JOIN signature
    ON signature.id = $2 AND signature.app_id = app.id AND signature.deleted_at IS NULL
  WHERE app.app_key = $1"""
_APP_WIDTH = len(App.__struct_fields__)

_FIND = f"SELECT {COLUMNS} FROM signature WHERE id = $2 AND app_id = $1 AND deleted_at IS NULL"
_LOCK = _FIND + " {lock}"
_FIND_ANY = f"SELECT {COLUMNS} FROM signature WHERE id = $1 AND deleted_at IS NULL"
_LOCK_ANY = _FIND_ANY + " {lock}"
_FOR_PEOPLE = """status = 0 AND deleted_at IS NULL
  AND (content = $1 OR app_id NOT IN (SELECT id FROM app WHERE test_delay_ms IS NOT NULL))"""
"""In the audit, and to be decided by people, unlike most signatures of test applications."""

_QUEUE = f"""SELECT {COLUMNS} FROM signature
  WHERE {_FOR_PEOPLE} AND (submitted_at, id) > ($2, $3)
  ORDER BY submitted_at, id LIMIT $4"""
_IN_AUDIT = "SELECT count(*) FROM signature WHERE status = 0 AND deleted_at IS NULL"
_OF_TESTS = "content <> $1 AND app_id IN (SELECT id FROM app WHERE test_delay_ms IS NOT NULL)"
_WAITING = f"SELECT ({_IN_AUDIT}) - ({_IN_AUDIT} AND {_OF_TESTS})"
"""The number that _FOR_PEOPLE selects, from indexes alone: no row is read but those of test applications."""
_WAITING_UP_TO = f"SELECT count(*) FROM (SELECT 1 FROM signature WHERE {_FOR_PEOPLE} LIMIT $2) AS found"

_BY_APP = f"""SELECT {COLUMNS} FROM signature
  WHERE app_id = $1 AND deleted_at IS NULL AND id < $2 AND ($3 < 0 OR status = $3)
    AND content LIKE $4 ESCAPE '!'
  ORDER BY id DESC LIMIT $5"""


async def find(db: Reader, app_id: int, signature_id: int) -> Signature | None:
    """Return the application's signature, or None if it has none of this id."""
    row = await db.one(_FIND, app_id, signature_id)
    return Signature(*row) if row else None


async def find_with_app(db: Reader, app_key: str, signature_id: int) -> tuple[App, Signature | None] | None:
    """Return the application of `app_key`, or None, and its signature of this id, in one statement."""
    row = await db.one(_FIND_WITH_APP, app_key, signature_id)
    if row is None:
        return None
    app = App(*row[:_APP_WIDTH])
    return app, None if row[_APP_WIDTH] is None else Signature(*row[_APP_WIDTH:])


async def lock(tx: Tx, app_id: int, signature_id: int) -> Signature | None:
    """Return the application's signature, its row locked until the transaction ends, or None."""
    row = await tx.one(_LOCK, app_id, signature_id)
    return Signature(*row) if row else None


async def find_any(db: Reader, signature_id: int) -> Signature | None:
    """Return a signature of any application: for the console and the command line, never for the API."""
    row = await db.one(_FIND_ANY, signature_id)
    return Signature(*row) if row else None


async def lock_any(tx: Tx, signature_id: int) -> Signature | None:
    """Return a signature of any application, locked until the transaction ends: for auditors and admins."""
    row = await tx.one(_LOCK_ANY, signature_id)
    return Signature(*row) if row else None


async def find_in_audit(db: Reader, app_id: int) -> int | None:
    """Return the id of the application's signature in the audit, or None."""
    row = await db.one(
        "SELECT id FROM signature WHERE app_id = $1 AND status = 0 AND deleted_at IS NULL", app_id
    )
    return int(row[0]) if row else None


async def list_in_audit(db: Reader, *, after: tuple[int, int] = (0, 0), limit: int = 100) -> list[Signature]:
    """Return up to `limit` of the queue, oldest first, after the (submitted_at, id) given."""
    return [Signature(*row) for row in await db.all(_QUEUE, PENDING, *after, limit)]


async def list_of_app(
    db: Reader,
    app_id: int,
    *,
    status: int | None = None,
    pattern: str = "%",
    before: int = ID_MAX + 1,
    limit: int = 50,
) -> list[Signature]:
    """Return up to `limit` of an application's signatures with ids under `before`, the newest first."""
    wanted = -1 if status is None else status
    return [Signature(*row) for row in await db.all(_BY_APP, app_id, before, wanted, pattern, limit)]


async def count_by_status(db: Reader, app_ids: Sequence[int]) -> dict[int, dict[int, int]]:
    """Return the number of signatures by application and status: app_id -> status -> count."""
    counts: dict[int, dict[int, int]] = {app_id: {} for app_id in app_ids}
    if counts:
        for app_id, status, count in await db.all(
            f"""SELECT app_id, status, count(*) FROM signature
            WHERE app_id IN ({_placeholders(counts)}) AND deleted_at IS NULL GROUP BY app_id, status""",
            *counts,
        ):
            counts[app_id][status] = count
    return counts


async def list_in_use(db: Reader, app_ids: Sequence[int]) -> dict[int, str]:
    """Return the content of the signature in use, by application id."""
    if not app_ids:
        return {}
    rows = await db.all(
        f"""SELECT app.id, signature.content FROM app
        JOIN signature ON signature.id = app.in_use_id AND signature.app_id = app.id
        WHERE app.id IN ({_placeholders(app_ids)})""",
        *app_ids,
    )
    return {int(row[0]): str(row[1]) for row in rows}


def _placeholders(values: Collection[object]) -> str:
    return ", ".join(f"${n}" for n in range(1, len(values) + 1))


async def count_in_audit(db: Reader, *, up_to: int | None = None) -> int:
    """Return the number of signatures in the queue; with `up_to`, no more than that are counted."""
    row = await (db.one(_WAITING, PENDING) if up_to is None else db.one(_WAITING_UP_TO, PENDING, up_to))
    return int(row[0]) if row else 0


async def insert(
    tx: Tx, app_id: int, *, content: str, now: int, signature_id: int | None = None
) -> tuple[int, bool] | None:
    """Insert a signature in the audit; return its id and whether the application has callbacks.

    Returns None if the application has another one in the audit. The engine assigns a new id,
    unless `signature_id` is given (for demonstration data).
    """
    given = signature_id is not None
    row = await tx.one(
        f"""INSERT INTO signature ({"id, " if given else ""}app_id, content, status, version,
          created_at, submitted_at)
        VALUES ({"$4, " if given else ""}$1, $2, 0, 1, $3, $3)
        ON CONFLICT (app_id) WHERE status = 0 AND deleted_at IS NULL DO NOTHING
        RETURNING id, EXISTS (SELECT 1 FROM callback
          WHERE callback.app_id = signature.app_id AND callback.deleted_at IS NULL)""",
        app_id,
        content,
        now,
        *([signature_id] if given else []),
    )
    return (int(row[0]), bool(row[1])) if row else None


async def update_resubmitted(tx: Tx, signature: Signature, *, content: str, now: int) -> None:
    """Put a signature back in the audit with its next version.

    Raises: Conflict when the application has another one in the audit.
    """
    await tx.run(
        """UPDATE signature SET content = $3, status = 0, version = version + 1, submitted_at = $4
        WHERE id = $2 AND app_id = $1""",
        signature.app_id,
        signature.id,
        content,
        now,
    )


async def update_status(tx: Tx, signature: Signature, *, status: Status) -> None:
    """Set the status."""
    await tx.run(
        "UPDATE signature SET status = $3 WHERE id = $2 AND app_id = $1",
        signature.app_id,
        signature.id,
        int(status),
    )


async def update_deleted(tx: Tx, signature: Signature, *, now: int) -> None:
    """Soft-delete a signature: its rows stay for the ledger, its id is never assigned again."""
    await tx.run(
        "UPDATE signature SET deleted_at = $3 WHERE id = $2 AND app_id = $1",
        signature.app_id,
        signature.id,
        now,
    )


async def insert_version(
    tx: Tx, app_id: int, signature_id: int, n: int, submission: Submission, *, actor: str, now: int
) -> None:
    """Insert the n-th version with its images."""
    await tx.run(
        """INSERT INTO version (signature_id, n, app_id, content, fields, actor, submitted_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)""",
        signature_id,
        n,
        app_id,
        submission.content,
        msgspec.json.encode(submission.fields).decode(),
        actor,
        now,
    )
    for image in submission.images:
        await tx.run(
            """INSERT INTO image
              (signature_id, version, slot, app_id, sha256, type, size_bytes, width, height)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
            signature_id,
            n,
            image.slot,
            app_id,
            image.sha256,
            image.type,
            image.size_bytes,
            image.width,
            image.height,
        )


async def list_versions(db: Reader, app_id: int, signature_id: int) -> list[Version]:
    """Return all versions of a signature, the first one first."""
    rows = await db.all(
        """SELECT signature_id, n, content, fields, actor, submitted_at FROM version
        WHERE signature_id = $2 AND app_id = $1 ORDER BY n""",
        app_id,
        signature_id,
    )
    return [
        Version(row[0], row[1], row[2], msgspec.json.decode(row[3], type=dict[str, str]), row[4], row[5])
        for row in rows
    ]


async def list_images(db: Reader, app_id: int, signature_id: int, version: int) -> list[Image]:
    """Return the images of one version."""
    rows = await db.all(
        """SELECT slot, sha256, type, size_bytes, width, height FROM image
        WHERE signature_id = $2 AND version = $3 AND app_id = $1 ORDER BY slot""",
        app_id,
        signature_id,
        version,
    )
    return [Image(*row) for row in rows]


async def list_all_images(db: Reader, app_id: int, signature_id: int) -> dict[int, list[Image]]:
    """Return the images of all versions of a signature, by version."""
    found: dict[int, list[Image]] = {}
    for row in await db.all(
        """SELECT version, slot, sha256, type, size_bytes, width, height FROM image
        WHERE signature_id = $2 AND app_id = $1 ORDER BY version, slot""",
        app_id,
        signature_id,
    ):
        found.setdefault(int(row[0]), []).append(Image(row[1], row[2], row[3], row[4], row[5], row[6]))
    return found


async def is_image_referenced(db: Reader, sha256: str) -> bool:
    """Return whether any version has this image."""
    return await db.one("SELECT 1 FROM image WHERE sha256 = $1 LIMIT 1", sha256) is not None
