"""Drain the outbox: lease the rows that are due, deliver their events, record the attempts.

One task polls for work, and each leased row is delivered in another. A callback has at most PER_CALLBACK
requests in flight, one while it fails, and none while it asked to wait (Retry-After): a slow receiver
delays no other.
Any number of deliverers may run at once, on any number of machines; the lease of one that dies expires.
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
GATHER_S = 0.005
"""How long finished deliveries gather, so that several rows are leased at a time."""
PER_CALLBACK = 4
AT_ONCE = 256
LAST_POLL_S = 0.5
"""How long a query that is running at a graceful shutdown may still take."""
SWEEP_S = 600.0
LEASE_MARGIN_S = 5.0
RETRY_AFTER_MAX_S = 3600
"""The longest that a receiver's Retry-After stops deliveries to its callback."""

Observe = Callable[[str, str, float], None]
"""Takes the format, the outcome (delivered, failed) and the seconds of one attempt."""


class Deliverer:
    """Delivers the events in the outbox to callbacks, until it is stopped."""

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
        self._waiting: dict[int, int] = {}
        """Until when a callback gets nothing, in UTC microseconds: Retry-After as received here."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._stopping = False
        self._polling: asyncio.Timeout | None = None
        self._swept_at = time.monotonic() - random.uniform(0, SWEEP_S)  # noqa: S311

    async def run(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """Deliver until `stop` is called or `is_over`; what is in flight then has `stop_timeout` seconds."""
        while not (self._stopping or is_over()):
            try:
                self._wake.clear()
                await self._poll()
            except TimeoutError:  # a silent database, and a stop
                break
            except StorageError as error:  # the database may be away for long: a line, and no traceback
                log.warning("delivery loop failed", extra={"reason": str(error)})
                await asyncio.sleep(POLL_S)
            except Exception:
                log.exception("delivery loop failed")
                await asyncio.sleep(POLL_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._wake.wait()
            await asyncio.sleep(GATHER_S)
        await self._finish()

    async def _poll(self) -> None:
        try:
            async with asyncio.timeout(None) as self._polling:
                await self._take()
                await self._sweep_if_due()
        finally:
            self._polling = None

    def stop(self) -> None:
        """Begin the graceful shutdown: no more rows are leased."""
        self._stopping = True
        self._wake.set()
        if self._polling is not None:
            self._polling.reschedule(asyncio.get_running_loop().time() + LAST_POLL_S)

    async def drain(self) -> None:
        """Deliver all that is due now, and end."""
        while await self._take() or self._tasks:
            if self._tasks:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def _finish(self) -> None:
        self._stopping = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._settings.stop_timeout)
            for task in late:  # its lease expires, and another deliverer delivers it again
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _take(self) -> int:
        free = AT_ONCE - len(self._tasks)
        if free <= 0:
            return 0
        due = await callbacks.list_due(self._stores.db.watch, now=self._now())
        random.shuffle(due)
        wanted: dict[int, int] = {}
        for callback_id, failures in due:
            if not failures:  # it received something, or was resumed
                self._waiting.pop(callback_id, None)
            elif self._waiting.get(callback_id, 0) > self._now():
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
            task = asyncio.create_task(self._deliver_safely(row))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return len(rows)

    async def _deliver_safely(self, row: LeasedRow) -> None:
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
        prepared = await actions.write(
            db.read, self._stores.vault, row, language=self._settings.language, now=at
        )
        if prepared is None:
            await actions.release(db, row)
            return
        response = await self._sender.send(prepared.sent)
        chance = random.uniform(-1, 1)  # noqa: S311
        why = await actions.record(db, prepared, response, chance=chance, at=at, now=self._now())
        if not response.is_success and response.retry_after_s:
            wait_s = min(response.retry_after_s, RETRY_AFTER_MAX_S)
            self._waiting[row.callback_id] = self._now() + int(wait_s * 1_000_000)
        outcome = "delivered" if response.is_success else "failed"
        self._observe(prepared.callback.format, outcome, response.ms / 1000)
        fields = {"callback_id": row.callback_id, "app_id": prepared.app.id, "event_id": row.event_id}
        attempt = {"attempt": row.attempts + 1, "status": response.status, "ms": response.ms}
        log.info(f"delivery {outcome}", extra={**fields, **attempt})
        if why:
            log.warning("callback paused", extra={**fields, "why": why})

    async def _sweep_if_due(self) -> None:
        if time.monotonic() - self._swept_at < SWEEP_S:
            return
        self._swept_at = time.monotonic()
        self._waiting = {each: until for each, until in self._waiting.items() if until > self._now()}
        await actions.sweep(self._stores.db, keep_days=self._settings.delivery_days, now=self._now())
