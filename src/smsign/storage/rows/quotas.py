"""Rows of `submissions`: the count of an application's submissions on a day."""

from __future__ import annotations

from smsign.storage.engine.protocol import Reader, Tx


async def get(db: Reader, app_id: int, day: int) -> int:
    """Return the count of a day."""
    row = await db.one("SELECT count FROM submissions WHERE day = $2 AND app_id = $1", app_id, day)
    return int(row[0]) if row else 0


async def add(tx: Tx, app_id: int, day: int, *, at_most: int) -> bool:
    """Count a submission unless `at_most` is reached; return whether it was counted."""
    row = await tx.one(
        """INSERT INTO submissions (day, app_id, count) VALUES ($2, $1, 1)
        ON CONFLICT (day, app_id) DO UPDATE SET count = submissions.count + 1 WHERE submissions.count < $3
        RETURNING count""",
        app_id,
        day,
        at_most,
    )
    return row is not None


async def delete_before(tx: Tx, day: int) -> None:
    """Delete the counts of days before `day`."""
    await tx.run("DELETE FROM submissions WHERE day < $1", day)
