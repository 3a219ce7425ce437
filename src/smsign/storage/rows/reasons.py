"""Rows of `reason`: texts of reasons for a refusal that an admin has changed."""

from __future__ import annotations

from smsign.domain.audits import REASONS, Reason
from smsign.errors import Text
from smsign.storage.engine.protocol import Reader, Row, Tx

_ALL = "SELECT code, title_en, title_zh, advice_en, advice_zh FROM reason"


async def list_(db: Reader) -> dict[str, Reason]:
    """Return every reason by its code, with its current texts, in the registry's order."""
    changed = {row[0]: row for row in await db.all(_ALL)}
    return {
        code: _with_texts(reason, changed[code]) if code in changed else reason
        for code, reason in REASONS.items()
    }


async def put(tx: Tx, code: str, *, title: Text, advice: Text) -> None:
    """Set the texts of a reason."""
    await tx.run(
        """INSERT INTO reason (code, title_en, title_zh, advice_en, advice_zh) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (code) DO UPDATE SET title_en = excluded.title_en, title_zh = excluded.title_zh,
          advice_en = excluded.advice_en, advice_zh = excluded.advice_zh""",
        code,
        title.en,
        title.zh,
        advice.en,
        advice.zh,
    )


def _with_texts(reason: Reason, row: Row) -> Reason:
    return Reason(reason.code, Text(row[1], row[2]), Text(row[3], row[4]), reason.field)
