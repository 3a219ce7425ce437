"""Statistics of the decisions that people made in a period. Times are UTC microseconds."""

from __future__ import annotations

import msgspec

from smsign.domain.sandbox import ACTOR
from smsign.storage.engine.protocol import Reader

DAY_US = 86_400_000_000


class Day(msgspec.Struct, frozen=True):
    """Decisions of one day; `day` counts days since 1970-01-01 in the requested time zone."""

    day: int
    passed: int
    refused: int


class Waits(msgspec.Struct, frozen=True):
    """Waiting times of decided versions in microseconds; None when nothing was decided."""

    decided: int
    median: int | None
    p95: int | None


_BY_PEOPLE = f"decision.actor <> '{ACTOR}'"

_DAYS = f"""SELECT (decided_at + $2) / 86400000000, sum(passed), sum(1 - passed) FROM decision
  WHERE decided_at >= $1 AND {_BY_PEOPLE} GROUP BY 1 ORDER BY 1"""
_REASONS = f"""SELECT decision_reason.code, count(*) FROM decision
  JOIN decision_reason ON decision_reason.signature_id = decision.signature_id
    AND decision_reason.version = decision.version
  WHERE decision.decided_at >= $1 AND {_BY_PEOPLE} GROUP BY decision_reason.code ORDER BY 2 DESC, 1"""
_AUDITORS = f"""SELECT actor, sum(passed), sum(1 - passed) FROM decision
  WHERE decided_at >= $1 AND {_BY_PEOPLE} GROUP BY actor ORDER BY count(*) DESC, actor LIMIT 20"""
_WAIT = f"""SELECT decision.decided_at - version.submitted_at FROM decision
  JOIN version ON version.signature_id = decision.signature_id AND version.n = decision.version
  WHERE decision.decided_at >= $1 AND {_BY_PEOPLE} ORDER BY 1 LIMIT 1 OFFSET $2"""
_DECIDED = f"SELECT count(*) FROM decision WHERE decided_at >= $1 AND {_BY_PEOPLE}"
_OLDEST = """SELECT submitted_at FROM signature WHERE status = 0 AND deleted_at IS NULL
    AND app_id NOT IN (SELECT id FROM app WHERE test_delay_ms IS NOT NULL)
  ORDER BY submitted_at, id LIMIT 1"""


async def list_days(db: Reader, since: int, *, offset: int) -> list[Day]:
    """Return the days with decisions; `offset` is the UTC offset in microseconds."""
    return [Day(int(row[0]), int(row[1]), int(row[2])) for row in await db.all(_DAYS, since, offset)]


async def list_reasons(db: Reader, since: int) -> list[tuple[str, int]]:
    """Return how often each coded reason was given, the most frequent first."""
    return [(row[0], int(row[1])) for row in await db.all(_REASONS, since)]


async def list_auditors(db: Reader, since: int) -> list[tuple[str, int, int]]:
    """Return (actor, passed, refused), the most decisions first."""
    return [(row[0], int(row[1]), int(row[2])) for row in await db.all(_AUDITORS, since)]


async def get_waits(db: Reader, since: int) -> Waits:
    """Return the waiting times of decided versions; percentiles by nearest rank."""
    row = await db.one(_DECIDED, since)
    decided = int(row[0]) if row else 0
    if not decided:
        return Waits(0, None, None)
    ranks = [await db.one(_WAIT, since, -(-decided * part // 100) - 1) for part in (50, 95)]
    median, p95 = (int(rank[0]) if rank else None for rank in ranks)
    return Waits(decided, median, p95)


async def find_oldest(db: Reader) -> int | None:
    """Return when the oldest signature of the queue was submitted, or None."""
    row = await db.one(_OLDEST)
    return int(row[0]) if row else None
