"""Consistency checks of the rows, read-only."""

from __future__ import annotations

from smsign.errors import Text
from smsign.storage.engine.bulk import Bulk
from smsign.storage.engine.protocol import Reader

EXAMPLES = 3
"""How many ids of inconsistent rows are listed."""

INCONSISTENCIES = (
    (
        Text(
            "signatures whose latest version is missing, or is not the latest",
            "签名缺少最新版本，或版本不是最新",
        ),
        """SELECT signature.id FROM signature LEFT JOIN
          (SELECT signature_id, max(n) AS n FROM version GROUP BY signature_id) AS latest
          ON latest.signature_id = signature.id
        WHERE latest.n IS DISTINCT FROM signature.version ORDER BY signature.id""",
    ),
    (
        Text(
            "signatures whose status differs from the decision",
            "签名的状态与审核结果不符",
        ),
        """SELECT signature.id FROM signature LEFT JOIN decision
          ON decision.signature_id = signature.id AND decision.version = signature.version
        WHERE decision.passed IS DISTINCT FROM
          CASE signature.status WHEN 0 THEN NULL WHEN 1 THEN 1 ELSE 0 END
          AND NOT (signature.status = 2 AND decision.passed IS NULL AND EXISTS
            (SELECT 1 FROM event WHERE event.subject = 'signature' AND event.subject_id = signature.id
              AND event.kind = 'signature.withdrawn')) ORDER BY signature.id""",
    ),
    (
        Text(
            "signatures that were refused without a reason",
            "签名被驳回但没有原因",
        ),
        """SELECT decision.signature_id FROM decision WHERE passed = 0 AND NOT EXISTS
          (SELECT 1 FROM decision_reason AS reason
            WHERE reason.signature_id = decision.signature_id AND reason.version = decision.version)
        ORDER BY decision.signature_id""",
    ),
    (
        Text(
            "signatures with a version or an image of another application",
            "签名含有其他应用的版本或图片",
        ),
        """SELECT signature.id FROM signature WHERE EXISTS
          (SELECT 1 FROM version WHERE version.signature_id = signature.id
            AND version.app_id <> signature.app_id) OR EXISTS
          (SELECT 1 FROM image WHERE image.signature_id = signature.id
            AND image.app_id <> signature.app_id) ORDER BY signature.id""",
    ),
    (
        Text(
            "applications that use a signature that has not passed, is deleted, or is another application's",
            "应用使用的签名未通过、已删除，或属于其他应用",
        ),
        """SELECT app.id FROM app LEFT JOIN signature ON signature.id = app.in_use_id
          AND signature.app_id = app.id AND signature.status = 1 AND signature.deleted_at IS NULL
        WHERE app.in_use_id IS NOT NULL AND signature.id IS NULL ORDER BY app.id""",
    ),
)


async def find_inconsistencies(db: Reader) -> list[Text]:
    """Return which rows contradict each other, in words."""
    found = []
    for words, sql in INCONSISTENCIES:
        row = await db.one(f"SELECT count(*) FROM ({sql}) AS wrong")
        if row and row[0]:
            ids = ", ".join(str(one[0]) for one in await db.all(f"{sql} LIMIT {EXAMPLES}"))
            ids += " …" * (row[0] > EXAMPLES)
            found.append(Text(f"{row[0]} {words.en}: {ids}", f"{row[0]} 个{words.zh}：{ids}"))
    return found


async def find_reused_ids(rows: Bulk) -> list[str]:
    """Return the tables whose sequence would assign an existing id again."""
    last, found = await rows.sequences(), []
    for table in await rows.tables():
        if table.name in last or table.key == ("id",):
            key = await rows.last_key(table)
            if key and key[0] > last.get(table.name, 0):
                found.append(table.name)
    return found


async def find_newest_event_at(db: Reader) -> int | None:
    """Return when the last event was written, in UTC microseconds."""
    row = await db.one("SELECT max(at) FROM event WHERE id > (SELECT max(id) FROM event) - 100")
    return int(row[0]) if row and row[0] is not None else None


async def find_backlog(rows: Bulk, db: Reader) -> tuple[int, int] | None:
    """Return the number of undelivered events, and when the oldest was created; None if there are none."""
    if "callback" not in {table.name for table in await rows.tables()}:
        return None
    row = await db.one("SELECT count(*), min(created_at) FROM outbox")
    return (int(row[0]), int(row[1])) if row and row[0] else None
