"""Decide signatures of test applications when their delay is over. Runs in every server process."""

from __future__ import annotations

import asyncio
import logging
import time

from smsign.actions import sandbox
from smsign.errors import StorageError
from smsign.storage.engine.protocol import Database

log = logging.getLogger(__name__)

POLL_S = 0.05
"""Submissions of other processes are found by polling, so a decision may be that late."""

IDLE_S = 1.0
"""The poll interval while there is no test application."""


async def decide_test_signatures(db: Database) -> None:
    """Decide what is due, until cancelled."""
    while True:
        try:
            pause_s = await _decide(db)
        except StorageError as error:  # the database may be down for long: no traceback
            log.warning("sandbox decisions failed", extra={"reason": str(error)})
            pause_s = IDLE_S
        except Exception:
            log.exception("sandbox decisions failed")
            pause_s = IDLE_S
        await asyncio.sleep(pause_s)


async def _decide(db: Database) -> float:
    if not await sandbox.has_test_apps(db):
        return IDLE_S
    now = time.time_ns() // 1000
    soonest = await sandbox.decide_due(db, now=now)
    return POLL_S if soonest is None else min(POLL_S, max(0.0, (soonest - now) / 1e6))
