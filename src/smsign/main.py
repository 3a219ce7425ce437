"""The composition root: make the ASGI application from the settings."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import random
import time
from collections.abc import Callable

from smsign.actions import blobs as blob_actions
from smsign.actions import idempotency
from smsign.api import routes as api
from smsign.api import sandbox
from smsign.config import Settings
from smsign.console import routes as console
from smsign.http import metrics
from smsign.http.server import Mount, Server
from smsign.http.service import Service, make_service
from smsign.log import set_up
from smsign.storage.open import open_stores
from smsign.worker.deliverer import Deliverer
from smsign.worker.ledger import verify_periodically
from smsign.worker.sandbox import decide_test_signatures
from smsign.worker.sender import make_sender

log = logging.getLogger(__name__)

GC_THRESHOLD = 20_000
"""Allocations between runs of the cyclic garbage collector; requests leave no cycles behind."""

CLOSE_MIN_S = 0.5
"""The time that background tasks have to finish, even if requests have used up `stop_timeout`."""


def make_app(
    settings: Settings, *, started: Callable[[], None] = lambda: None, is_test: bool = False
) -> Server:
    """Return the ASGI application; its stores are opened at startup.

    `started` is called on the event loop once it is ready for requests. With `is_test` it is an emulator.
    """
    tasks: list[asyncio.Task[None]] = []
    delivering: tuple[Deliverer, asyncio.Task[None]] | None = None

    async def open_service() -> Service:
        nonlocal delivering
        stores, sender = await open_stores(settings), make_sender(settings)
        service = make_service(settings, stores, set_up(settings.log_format), sender)
        gc.collect()
        gc.freeze()  # the collector skips what has been loaded so far
        gc.set_threshold(GC_THRESHOLD)
        if settings.sweep_hours:
            tasks.append(asyncio.create_task(_sweep_periodically(service)))
        if settings.verify_hours:
            checking = verify_periodically(
                service.db, hours=settings.verify_hours, observe=metrics.observe_verification
            )
            tasks.append(asyncio.create_task(checking))
        tasks.append(asyncio.create_task(decide_test_signatures(service.db)))
        if settings.deliver:
            deliverer = Deliverer(stores, settings, sender, metrics.observe_delivery)
            delivering = deliverer, asyncio.create_task(deliverer.run(lambda: service.stopping))
        return service

    async def close_service(service: Service, left_s: float) -> None:
        with contextlib.suppress(TimeoutError):  # a database may not respond
            async with asyncio.timeout(max(left_s, CLOSE_MIN_S)):
                await finish()
        await service.db.close()
        service.log.flush()

    async def finish() -> None:
        for task in tasks:
            task.cancel()
        if delivering is not None:
            deliverer, task = delivering
            deliverer.stop()
            tasks.append(task)
        await asyncio.gather(*tasks, return_exceptions=True)

    mounts = (
        Mount("/console", console.handle, console.handle_exception),
        Mount("", sandbox.handle if is_test else api.handle, api.handle_exception),
    )
    return Server(mounts, open_service, close_service, started)


async def _sweep_periodically(service: Service) -> None:
    # Jitter spreads the processes and machines; sweeping twice does no harm.
    while True:
        await asyncio.sleep(service.settings.sweep_hours * 3600 * random.uniform(0.5, 1.5))  # noqa: S311
        try:
            gone = await blob_actions.sweep(service.db, service.blobs, now_s=time.time())
            keys = await idempotency.sweep(service.db, now=service.now())
            log.info("sweep finished", extra={"images": gone, "idempotency_keys": keys})
        except Exception:  # retried at the next interval
            log.exception("sweep failed")
