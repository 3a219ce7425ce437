"""With 100,000 signatures in the queue, the server renders each page in under 30 ms."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.running import Server

pytestmark = pytest.mark.slow
WAITING = 100_000
LIMIT_MS = 30.0


_NUMBERS = f"""WITH RECURSIVE number (n) AS (
  SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {WAITING})"""
_ROWS = (
    "app (id, name, app_key, secret_mac, secret_sealed, sms_open, use_by_hand, created_at)"
    " {with} SELECT n, 'app' || n, 'key' || n, $1, $1, 1, 0, $2 FROM number",
    "signature (id, app_id, content, status, version, created_at, submitted_at)"
    " {with} SELECT n, n, '极光推送', 0, 1, CAST($2 AS {int}) + n, CAST($2 AS {int}) + n FROM number"
    " WHERE CAST($1 AS {bytes}) IS NOT NULL",
    "version (signature_id, n, app_id, content, fields, actor, submitted_at)"
    " {with} SELECT n, 1, n, '极光推送', '{}', 'app:x', CAST($2 AS {int}) + n FROM number"
    " WHERE CAST($1 AS {bytes}) IS NOT NULL",
    "image (signature_id, version, slot, app_id, sha256, type, size_bytes, width, height)"
    " {with} SELECT n, 1, 'image0', n, 'x', 'png', $2, 64, 48 FROM number"
    " WHERE CAST($1 AS {bytes}) IS NOT NULL",
    "event (subject, subject_id, seq, kind, at, actor, data, prev_hash, hash)"
    " {with} SELECT 'signature', n, 1, 'signature.submitted', CAST($2 AS {int}) + n, 'app:x', '{}', $1, $1"
    " FROM number",
)


async def _fill(stores: Any) -> None:
    """Put one signature in the audit for each of WAITING applications, with an image and an event."""
    now = time.time_ns() // 1000 - WAITING

    async def change(tx: Any) -> None:
        for rows in _ROWS:
            table, _, select = rows.partition(" {with} ")
            await tx.run(f"INSERT INTO {table} {_NUMBERS} {select}", bytes(32), now)

    await stores.db.write(change)


async def _vacuum(stores: Any) -> None:
    """Do what autovacuum does by itself a minute after so many inserts, so that it does not run meanwhile."""
    async with stores.db._pool.acquire() as connection:
        await connection.execute("VACUUM ANALYZE")


def test_every_page_renders_within_30_ms_with_100000_signatures_waiting(
    start: Callable[..., Server], engine: str
) -> None:
    server = start()
    server.do(_fill)
    if engine == "postgres":
        server.do(_vacuum)
    token = server.make_account("busy", "owner", "auditor", "admin")
    paths = (
        "/console/desk",
        "/console/desk?part=rows",
        "/console/desk/50000",
        "/console/apps",
        "/console/apps?q=app777",
        "/console/apps/50000",
        "/console/apps/50000/submit",
        "/console/signatures/50000",
        "/console/statistics",
        "/console/accounts",
        "/console/reasons",
        "/console/ledger",
        "/console/ledger?kind=app.created",
        "/console/me",
    )
    slow = {}
    with server.visitor(token) as visitor:
        for path in paths:
            times = []
            for _ in range(15):
                began = time.perf_counter()
                response = visitor.get(path)
                times.append((time.perf_counter() - began) * 1000)
                assert response.status_code == 200, path
            if (median := statistics.median(times)) > LIMIT_MS:
                slow[path] = round(median, 1)
    assert slow == {}
