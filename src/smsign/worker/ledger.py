"""Verify what changed in the ledger, from time to time, in one of the server processes."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable

from smsign.actions import ledger
from smsign.storage.engine.protocol import Database

log = logging.getLogger(__name__)

LOGGED_FAULTS = 10


async def verify_periodically(db: Database, *, hours: int, observe: Callable[[int, float], None]) -> None:
    """Verify every `hours`; `observe` gets the number of faults and the time in seconds since 1970."""
    while True:
        await asyncio.sleep(hours * 3600 * random.uniform(0.5, 1.5))  # noqa: S311
        try:
            await verify_changes(db, now=time.time_ns() // 1000, hours=hours, observe=observe)
        except Exception:  # retried at the next interval
            log.exception("verification of the ledger failed")


async def verify_changes(
    db: Database, *, now: int, hours: float, observe: Callable[[int, float], None]
) -> bool:
    """Verify the chains that changed since the last time, or all of them the first time.

    Returns False if a process has done it within half of `hours`.
    """
    if not await ledger.claim_verification(db, now=now, interval_us=int(hours * 1_800_000_000)):
        return False
    verdict = await ledger.verify(db, since=await ledger.get_verified(db))
    observe(len(verdict.faults), now / 1e6)
    if verdict.faults:
        log.error("ledger broken", extra={"faults": verdict.faults[:LOGGED_FAULTS]})
    else:
        await ledger.put_verified(db, verdict.last_event)
        log.info("ledger verified", extra={"events": verdict.events, "chains": verdict.chains})
    return True
