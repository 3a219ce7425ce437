"""The list with 100,000 signatures: the slowest page of each filter is timed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest

from smsign.domain.apps import App
from smsign.domain.listing import make_filters
from smsign.storage.rows import apps, listing
from tests.running import Server

pytestmark = pytest.mark.slow

COUNT = 100_000
WORST_S = 0.25
"""Far above the printed times, for a busy machine."""

_FILL = """WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < $2)
  INSERT INTO signature (app_id, content, status, version, created_at, submitted_at)
  SELECT $1, '签名' || (n % 5000), CASE WHEN n % 1000 = 0 THEN 1 ELSE 2 END, 1, n * 1000, n * 1000 FROM n"""

NONE: dict[str, Any] = dict.fromkeys(("status", "use_status", "sign", "prefix", "since", "until", "cursor"))
FILTERS: dict[str, dict[str, Any]] = {
    "newest": {},
    "passed, one of a thousand": {"status": 1},
    "far back": {"cursor": (5_000_000, 1)},
    "until long ago": {"until": 5_000_000},
    "since just now": {"since": 99_990_000},
    "one content": {"sign": "签名77"},
    "a prefix of all": {"prefix": "签"},
    "a prefix of none": {"prefix": "商"},
    "a prefix and a rare status": {"prefix": "签名4", "status": 1},
    "not in use, refused": {"use_status": 0, "status": 2},
    "in the audit": {"status": 0},
}


def test_the_slowest_page_of_each_filter_is_fast(start: Callable[..., Server]) -> None:
    server = start()
    key = server.make_app()

    async def work(stores: Any) -> dict[str, float]:
        app: App = await apps.get(stores.db.read, key.app_key)

        async def fill(tx: Any) -> None:
            await tx.run(_FILL, app.id, COUNT)

        await stores.db.write(fill)
        took = {}
        for name, filters in FILTERS.items():
            times = []
            for _ in range(5):
                started = time.perf_counter()
                await listing.list_(stores.db.scan, app, make_filters(**NONE | filters), limit=21)
                times.append(time.perf_counter() - started)
            took[name] = statistics.median(times)
        return took

    took = server.do(work)
    print({name: f"{seconds * 1000:.1f} ms" for name, seconds in took.items()})  # noqa: T201
    assert max(took.values()) < WORST_S, took
