"""Rows of `decision` and `decision_reason`."""

from __future__ import annotations

from smsign.domain.audits import REASONS, Decision
from smsign.storage.engine.protocol import Reader, Row, Tx


async def find(db: Reader, app_id: int, signature_id: int, version: int) -> Decision | None:
    """Return the decision on a version, or None while it is in the audit."""
    row = await db.one(
        """SELECT passed, note, actor, decided_at FROM decision
        WHERE signature_id = $2 AND version = $3 AND app_id = $1""",
        app_id,
        signature_id,
        version,
    )
    if row is None:
        return None
    sql = "SELECT code, field FROM decision_reason WHERE signature_id = $1 AND version = $2"
    return _decision(signature_id, version, row, dict(map(tuple, await db.all(sql, signature_id, version))))


async def list_(db: Reader, app_id: int, signature_id: int) -> dict[int, Decision]:
    """Return the decisions on a signature, by version."""
    given: dict[int, dict[str, str]] = {}
    for row in await db.all(
        "SELECT version, code, field FROM decision_reason WHERE signature_id = $1", signature_id
    ):
        given.setdefault(int(row[0]), {})[row[1]] = row[2]
    found = {}
    for row in await db.all(
        """SELECT version, passed, note, actor, decided_at FROM decision
        WHERE signature_id = $2 AND app_id = $1 ORDER BY version""",
        app_id,
        signature_id,
    ):
        found[int(row[0])] = _decision(signature_id, row[0], row[1:], given.get(int(row[0]), {}))
    return found


def _decision(signature_id: int, version: int, row: Row, fields: dict[str, str]) -> Decision:
    codes = tuple(code for code in REASONS if code in fields)
    about = tuple(fields[code] or REASONS[code].field for code in codes)
    return Decision(signature_id, version, row[0], codes, row[1], row[2], row[3], about)


async def insert(tx: Tx, app_id: int, decision: Decision) -> None:
    """Insert a decision.

    Raises: Conflict when the version has one already.
    """
    await tx.run(
        """INSERT INTO decision (signature_id, version, app_id, passed, note, actor, decided_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)""",
        decision.signature_id,
        decision.version,
        app_id,
        decision.passed,
        decision.note,
        decision.actor,
        decision.decided_at,
    )
    for code, field in zip(decision.reasons, decision.fields, strict=True):
        await tx.run(
            "INSERT INTO decision_reason (signature_id, version, code, field) VALUES ($1, $2, $3, $4)",
            decision.signature_id,
            decision.version,
            code,
            field,
        )
