"""Drain the outbox: claim what is due, tell it, record what came of it.

One task looks for work; each claimed row is told in a task of its own. An endpoint has at most PER_ENDPOINT
of them, one that fails has one, and one that asks to be left alone has none, so that a slow endpoint holds up
nobody but itself. Any number of deliverers, on any number of machines, may run at once: a row is leased to
one of them, and when that one dies the lease runs out.
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
"""How long freed places gather, so that rows are claimed several at a time."""
PER_ENDPOINT = 4
AT_ONCE = 256
LAST_LOOK_S = 0.5
"""How long the database may take at a stop to answer what it was asked before."""
SWEEP_S = 600.0
LEASE_MARGIN_S = 5.0
ALONE_MAX_S = 3600
"""The longest that an endpoint which asks for it (`Retry-After`) is told nothing at all."""

Observe = Callable[[str, str, float], None]
"""Takes the form, the outcome (delivered, failed) and the seconds of one attempt."""


class Deliverer:
    """Tells endpoints what is in the outbox, until it is stopped."""

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
        self._alone: dict[int, int] = {}
        """Until when an endpoint is told nothing, in UTC microseconds: what this process was asked for."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._stopping = False
        self._looking: asyncio.Timeout | None = None
        self._swept_at = time.monotonic() - random.uniform(0, SWEEP_S)  # noqa: S311

    async def run(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """Deliver until `stop` is called or `is_over`; what is in flight then has `stop_timeout` seconds."""
        while not (self._stopping or is_over()):
            try:
                self._wake.clear()
                await self._look()
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

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(None) as self._looking:
                await self._take()
                await self._sweep_now_and_then()
        finally:
            self._looking = None

    def stop(self) -> None:
        """Ask it to end: nothing new is claimed."""
        self._stopping = True
        self._wake.set()
        if self._looking is not None:
            self._looking.reschedule(asyncio.get_running_loop().time() + LAST_LOOK_S)

    async def drain(self) -> None:
        """Deliver all that is due now, and end."""
        while await self._take() or self._tasks:
            if self._tasks:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def _finish(self) -> None:
        self._stopping = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._settings.stop_timeout)
            for task in late:  # its lease runs out, and another deliverer tells it again
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
            if not failures:  # it took something, or somebody resumed it
                self._alone.pop(callback_id, None)
            elif self._alone.get(callback_id, 0) > self._now():
                continue
            room = min((1 if failures else PER_ENDPOINT) - self._busy[callback_id], free)
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
            task = asyncio.create_task(self._tell(row))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return len(rows)

    async def _tell(self, row: LeasedRow) -> None:
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
        answer = await self._sender.send(prepared.sent)
        chance = random.uniform(-1, 1)  # noqa: S311
        why = await actions.record(db, prepared, answer, chance=chance, at=at, now=self._now())
        if not answer.is_success and answer.retry_after_s:
            asked_s = min(answer.retry_after_s, ALONE_MAX_S)
            self._alone[row.callback_id] = self._now() + int(asked_s * 1_000_000)
        outcome = "delivered" if answer.is_success else "failed"
        self._observe(prepared.callback.format, outcome, answer.ms / 1000)
        fields = {"callback_id": row.callback_id, "app_id": prepared.app.id, "event_id": row.event_id}
        attempt = {"attempt": row.attempts + 1, "status": answer.status, "ms": answer.ms}
        log.info(f"delivery {outcome}", extra={**fields, **attempt})
        if why:
            log.warning("callback paused", extra={**fields, "why": why})

    async def _sweep_now_and_then(self) -> None:
        if time.monotonic() - self._swept_at < SWEEP_S:
            return
        self._swept_at = time.monotonic()
        self._alone = {each: until for each, until in self._alone.items() if until > self._now()}
        await actions.sweep(self._stores.db, keep_days=self._settings.delivery_days, now=self._now())
