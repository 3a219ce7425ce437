"""Drain the outbox: lease due events, deliver them to callbacks, record each attempt.

One task polls; each delivery is a task. Concurrency is limited per callback: PER_CALLBACK, 1 after a failure,
0 until the time of a Retry-After; so a slow receiver delays only its own events. Any number of deliverers, on
any number of machines, may run at once: each row is leased to one of them, and a lease expires after a crash.
Delivery is at-least-once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import Counter
from collections.abc import Callable

from smsign.actions import deliveries as actions
from smsign.config import Settings
from smsign.domain.callbacks import Sender
from smsign.errors import StorageError
from smsign.storage.open import Stores
from smsign.storage.rows import callbacks
from smsign.storage.rows.outbox import LeasedRow

log = logging.getLogger(__name__)

POLL_S = 0.5
BATCH_S = 0.005
"""A pause before each poll, so that several rows are leased at a time."""
PER_CALLBACK = 4
CONCURRENCY = 256
STOP_POLL_S = 0.5
"""The time for a running query to finish when the deliverer is stopped."""
SWEEP_S = 600.0
LEASE_MARGIN_S = 5.0
RETRY_AFTER_MAX_S = 3600

Observe = Callable[[str, str, float], None]
"""Takes the format, the outcome (delivered, failed) and the duration in seconds of an attempt."""


class Deliverer:
    """Delivers the events of the outbox until it is stopped."""

    def __init__(
        self,
        stores: Stores,
        settings: Settings,
        sender: Sender,
        observe: Observe = lambda *_: None,
        now: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._stores = stores
        self._settings = settings
        self._sender = sender
        self._observe = observe
        self._now = now
        self._busy: Counter[int] = Counter()
        self._retry_after: dict[int, int] = {}
        """By callback, the time of the last Retry-After that this process received, in UTC microseconds."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._stopping = False
        self._polling: asyncio.Timeout | None = None
        self._swept_at = time.monotonic() - random.uniform(0, SWEEP_S)  # noqa: S311

    async def run(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """Deliver until `stop` is called or `is_over`; then finish within `stop_timeout` seconds."""
        while not (self._stopping or is_over()):
            try:
                self._wake.clear()
                await self._poll()
            except TimeoutError:  # stopped while the database does not respond
                break
            except StorageError as error:  # the database may be down for long: no traceback
                log.warning("delivery loop failed", extra={"reason": str(error)})
                await asyncio.sleep(POLL_S)
            except Exception:
                log.exception("delivery loop failed")
                await asyncio.sleep(POLL_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._wake.wait()
            await asyncio.sleep(BATCH_S)
        await self._finish()

    async def _poll(self) -> None:
        try:
            async with asyncio.timeout(None) as self._polling:
                await self._claim()
                await self._sweep()
        finally:
            self._polling = None

    def stop(self) -> None:
        """Stop gracefully: no more rows are leased."""
        self._stopping = True
        self._wake.set()
        if self._polling is not None:
            self._polling.reschedule(asyncio.get_running_loop().time() + STOP_POLL_S)

    async def drain(self) -> None:
        """Deliver everything that is due now, then return."""
        while await self._claim() or self._tasks:
            if self._tasks:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def _finish(self) -> None:
        self._stopping = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._settings.stop_timeout)
            for task in late:  # its lease expires, and the event is delivered again
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _claim(self) -> int:
        free = CONCURRENCY - len(self._tasks)
        if free <= 0:
            return 0
        due = await callbacks.list_due(self._stores.db.watch, now=self._now())
        random.shuffle(due)
        wanted: dict[int, int] = {}
        for callback_id, failures in due:
            if not failures:  # the last delivery succeeded, or the callback was resumed
                self._retry_after.pop(callback_id, None)
            elif self._retry_after.get(callback_id, 0) > self._now():
                continue
            room = min((1 if failures else PER_CALLBACK) - self._busy[callback_id], free)
            if room > 0:
                wanted[callback_id] = room
                free -= room
        if not wanted or self._stopping:
            return 0
        rows = await actions.claim(
            self._stores.db, wanted, lease_s=self._settings.callback_timeout + LEASE_MARGIN_S, now=self._now()
        )
        for row in rows:
            self._busy[row.callback_id] += 1
            task = asyncio.create_task(self._run(row))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return len(rows)

    async def _run(self, row: LeasedRow) -> None:
        try:
            await self._deliver(row)
        except Exception:  # the lease expires, and the event is delivered again
            fields = {"callback_id": row.callback_id, "event_id": row.event_id}
            log.exception("delivery raised an exception", extra=fields)
        finally:
            self._busy[row.callback_id] -= 1
            if not self._busy[row.callback_id]:
                del self._busy[row.callback_id]
            self._wake.set()

    async def _deliver(self, row: LeasedRow) -> None:
        db, at = self._stores.db, self._now()
        prepared = await actions.prepare(
            db.read, self._stores.vault, row, language=self._settings.language, now=at
        )
        if prepared is None:
            await actions.release(db, row)
            return
        response = await self._sender.send(prepared.request)
        chance = random.uniform(-1, 1)  # noqa: S311
        why = await actions.record_attempt(db, prepared, response, chance=chance, at=at, now=self._now())
        if not response.is_success and response.retry_after_s:
            pause_s = min(response.retry_after_s, RETRY_AFTER_MAX_S)
            self._retry_after[row.callback_id] = self._now() + int(pause_s * 1_000_000)
        outcome = "delivered" if response.is_success else "failed"
        self._observe(prepared.callback.format, outcome, response.ms / 1000)
        fields = {"callback_id": row.callback_id, "app_id": prepared.app.id, "event_id": row.event_id}
        attempt = {"attempt": row.attempts + 1, "status": response.status, "ms": response.ms}
        log.info(f"delivery {outcome}", extra={**fields, **attempt})
        if why:
            log.warning("callback paused", extra={**fields, "why": why})

    async def _sweep(self) -> None:
        if time.monotonic() - self._swept_at < SWEEP_S:
            return
        self._swept_at = time.monotonic()
        self._retry_after = {each: at for each, at in self._retry_after.items() if at > self._now()}
        await actions.sweep(self._stores.db, keep_days=self._settings.delivery_days, now=self._now())
