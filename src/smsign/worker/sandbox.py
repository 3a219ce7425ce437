"""Decides what test applications submitted, once their delay is over. Runs in every server process."""

from __future__ import annotations

import asyncio
import logging
import time

from smsign.actions import sandbox
from smsign.errors import StorageError
from smsign.storage.engine.protocol import Database

log = logging.getLogger(__name__)

LOOK_S = 0.05
"""How late a decision may be: other processes' submissions are found by looking."""

IDLE_S = 1.0
"""Between two looks while there is no test application."""


async def decide_test_signatures(db: Database) -> None:
    """Decide what is due, for ever."""
    while True:
        try:
            pause_s = await _decide(db)
        except StorageError as error:  # the database may be away for long: a line each time, and no traceback
            log.warning("sandbox decisions failed", extra={"reason": str(error)})
            pause_s = IDLE_S
        except Exception:
            log.exception("sandbox decisions failed")
            pause_s = IDLE_S
        await asyncio.sleep(pause_s)


async def _decide(db: Database) -> float:
    if not await sandbox.are_there(db):
        return IDLE_S
    now = time.time_ns() // 1000
    soonest = await sandbox.decide_due(db, now=now)
    return LOOK_S if soonest is None else min(LOOK_S, max(0.0, (soonest - now) / 1e6))
