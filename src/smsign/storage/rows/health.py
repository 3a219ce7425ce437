"""Questions that tell whether a database is well. None of them changes anything."""

from __future__ import annotations

from smsign.storage.engine.bulk import Bulk
from smsign.storage.engine.protocol import Reader
from smsign.storage.open import sqlite_path

NAMED = 3
"""How many of the rows that are wrong are named."""

DISAGREEMENTS = (
    (
        "signatures whose latest version is missing, or is not the latest",
        """SELECT signature.id FROM signature LEFT JOIN
          (SELECT signature_id, max(n) AS n FROM version GROUP BY signature_id) AS latest
          ON latest.signature_id = signature.id
        WHERE latest.n IS DISTINCT FROM signature.version ORDER BY signature.id""",
    ),
    (
        "signatures whose status is not what was decided",
        """SELECT signature.id FROM signature LEFT JOIN decision
          ON decision.signature_id = signature.id AND decision.version = signature.version
        WHERE decision.passed IS DISTINCT FROM
          CASE signature.status WHEN 0 THEN NULL WHEN 1 THEN 1 ELSE 0 END
          AND NOT (signature.status = 2 AND decision.passed IS NULL AND EXISTS
            (SELECT 1 FROM event WHERE event.subject = 'signature' AND event.subject_id = signature.id
              AND event.kind = 'signature.withdrawn')) ORDER BY signature.id""",
    ),
    (
        "signatures with a refusal that bears no reason",
        """SELECT decision.signature_id FROM decision WHERE passed = 0 AND NOT EXISTS
          (SELECT 1 FROM decision_reason AS reason
            WHERE reason.signature_id = decision.signature_id AND reason.version = decision.version)
        ORDER BY decision.signature_id""",
    ),
    (
        "signatures with a version or an image of another application",
        """SELECT signature.id FROM signature WHERE EXISTS
          (SELECT 1 FROM version WHERE version.signature_id = signature.id
            AND version.app_id <> signature.app_id) OR EXISTS
          (SELECT 1 FROM image WHERE image.signature_id = signature.id
            AND image.app_id <> signature.app_id) ORDER BY signature.id""",
    ),
    (
        "applications that use a signature that has not passed, is deleted, or is another's",
        """SELECT app.id FROM app LEFT JOIN signature ON signature.id = app.in_use_id
          AND signature.app_id = app.id AND signature.status = 1 AND signature.deleted_at IS NULL
        WHERE app.in_use_id IS NOT NULL AND signature.id IS NULL ORDER BY app.id""",
    ),
)
_INVALID = """SELECT relname FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid WHERE NOT indisvalid"""
_CHECKSUMS = "SELECT checksum_failures FROM pg_stat_database WHERE datname = current_database()"
_CLOCK = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"


async def find_damage(db: Reader, url: str) -> list[str]:
    """Return what the engine itself finds broken, in words."""
    if sqlite_path(url):
        pages = [str(row[0]) for row in await db.all("PRAGMA quick_check(5)")]
        links = await db.all('SELECT DISTINCT "table", parent FROM pragma_foreign_key_check LIMIT 5')
        told = [f"rows of {row[0]} refer to rows of {row[1]} that are gone" for row in links]
        return [line for line in pages if line != "ok"] + told
    invalid = [f"the index {row[0]} is not valid" for row in await db.all(_INVALID)]
    row = await db.one(_CHECKSUMS)
    return invalid + ([f"{row[0]} pages with a wrong checksum"] if row and row[0] else [])


async def find_disagreements(db: Reader) -> list[str]:
    """Return which rows contradict each other, in words."""
    found = []
    for words, sql in DISAGREEMENTS:
        row = await db.one(f"SELECT count(*) FROM ({sql}) AS wrong")
        if row and row[0]:
            ids = ", ".join(str(one[0]) for one in await db.all(f"{sql} LIMIT {NAMED}"))
            found.append(f"{row[0]} {words}: {ids}{' …' if row[0] > NAMED else ''}")
    return found


async def find_reused_ids(rows: Bulk) -> list[str]:
    """Return the tables that would give out an id again."""
    last, found = await rows.sequences(), []
    for table in await rows.tables():
        if table.name in last or table.key == ("id",):
            key = await rows.last_key(table)
            if key and key[0] > last.get(table.name, 0):
                found.append(table.name)
    return found


async def newest_event_at(db: Reader) -> int | None:
    """Return when the last event was written, in UTC microseconds."""
    row = await db.one("SELECT max(at) FROM event WHERE id > (SELECT max(id) FROM event) - 100")
    return int(row[0]) if row and row[0] is not None else None


async def server_clock(db: Reader, url: str) -> int | None:
    """Return the time of the database's server, None where it is this machine's."""
    row = None if sqlite_path(url) else await db.one(_CLOCK)
    return int(row[0]) if row else None


async def find_waiting(rows: Bulk, db: Reader) -> tuple[int, int] | None:
    """Return how many events wait for endpoints, and since when; None if none does or there are none."""
    if "callback" not in {table.name for table in await rows.tables()}:
        return None
    row = await db.one("SELECT count(*), min(created_at) FROM outbox")
    return (int(row[0]), int(row[1])) if row and row[0] else None
