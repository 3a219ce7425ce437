"""The setting of the delivery tests: stores, a sender, and a deliverer with a manual clock."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from smsign.actions import apps, audits, callbacks, redelivery, signatures
from smsign.config import Settings, networks
from smsign.domain.apps import App
from smsign.domain.callbacks import Callback, Delivery
from smsign.domain.events import Subject
from smsign.domain.signatures import Rules
from smsign.storage.open import Stores, open_stores
from smsign.storage.rows import callbacks as rows
from smsign.storage.rows import deliveries, events
from smsign.worker.deliverer import Deliverer
from smsign.worker.sender import HttpSender
from smsign.worker.ssrf import AddressGuard

SECOND = 1_000_000


class Scene:
    """Steps of the delivery tests; `now` is UTC microseconds."""

    def __init__(self, stores: Stores, settings: Settings) -> None:
        self.now = time.time_ns() // 1000
        self.stores = stores
        self.sender = HttpSender(
            AddressGuard(networks("callback_networks", "127.0.0.0/8")), timeout_s=settings.callback_timeout
        )
        self.observed: list[tuple[str, str]] = []
        self.deliverer = Deliverer(
            stores,
            settings,
            self.sender,
            lambda format, outcome, _: self.observed.append((format, outcome)),
            lambda: self.now,
        )

    def tick(self) -> int:
        self.now += 1
        return self.now

    async def make_app(self) -> App:
        return await apps.create(
            self.stores.db,
            self.stores.vault,
            name=f"app-{secrets.token_hex(4)}",
            keys=apps.make_keys(),
            use_by_hand=False,
            actor="test:builder",
            now=self.tick(),
        )

    async def register(self, app: App, url: str, format: str = "standard") -> Callback:
        return await callbacks.register(
            self.stores.db,
            self.stores.vault,
            self.sender,
            app=app,
            url=url,
            format=format,
            actor="test:owner",
            now=self.tick(),
        )

    async def submit(self, app: App, sign: str = "极光推送", sign_id: int | None = None) -> int:
        return await signatures.submit(
            self.stores.db,
            self.stores.blobs,
            Rules(),
            app=app,
            signature_id=sign_id,
            fields={"sign": sign},
            uploads=(),
            actor="test:app",
            now=self.tick(),
        )

    async def decide(self, sign_id: int, *reasons: str, note: str = "") -> None:
        await audits.decide(
            self.stores.db,
            signature_id=sign_id,
            passed=not reasons,
            reasons=reasons,
            note=note,
            actor="test:auditor",
            now=self.tick(),
        )

    async def walk(self, app: App) -> int:
        """Submit, refuse, resubmit, pass: four events. Return the signature's id."""
        sign_id = await self.submit(app)
        await self.decide(sign_id, "unreadable")
        await self.submit(app, "改后签名", sign_id)
        await self.decide(sign_id)
        return sign_id

    async def drain(self, *, after_s: float = 0.0) -> None:
        """Advance the clock, then deliver everything that is due."""
        self.now += int(after_s * SECOND)
        await self.deliverer.drain()

    async def pause(self, app: App, callback: Callback) -> Callback:
        return await callbacks.pause(self.stores.db, **self._args(app, callback))

    async def resume(self, app: App, callback: Callback) -> Callback:
        return await callbacks.resume(self.stores.db, **self._args(app, callback))

    async def rotate(self, app: App, callback: Callback) -> Callback:
        args = self._args(app, callback)
        return await callbacks.rotate(self.stores.db, self.stores.vault, overlap_s=60, **args)

    async def resend(self, app: App, callback: Callback, delivery: Delivery) -> None:
        await redelivery.resend(self.stores.db, delivery_id=delivery.id, **self._args(app, callback))

    async def replay(self, app: App, callback: Callback, *, since: int, until: int) -> int:
        args = self._args(app, callback)
        return await redelivery.replay(self.stores.db, since=since, until=until, **args)

    def _args(self, app: App, callback: Callback) -> dict[str, Any]:
        return {"app": app, "callback_id": callback.id, "actor": "test:owner", "now": self.tick()}

    async def app_events(self, app: App) -> list[str]:
        """Return the kinds of an application's events."""
        found = await events.list_(self.stores.db.read, Subject.APP, app.id)
        return [event.kind for event in found]

    async def callback(self, known: Callback) -> Callback:
        found = await rows.find_any(self.stores.db.read, known.id)
        assert found is not None
        return found

    async def deliveries(self, callback: Callback) -> Sequence[Delivery]:
        """Return all attempts, the first one first."""
        return (await deliveries.list_(self.stores.db.read, callback.id, limit=10_000))[::-1]

    async def waiting(self, callback: Callback) -> list[Any]:
        sql = "SELECT signature_id, seq, due_at FROM outbox WHERE callback_id = $1 ORDER BY signature_id, seq"
        return [tuple(row) for row in await self.stores.db.read.all(sql, callback.id)]


async def open_scene(settings: Settings) -> AsyncIterator[Scene]:
    settings = msgspec.structs.replace(settings, callback_timeout=1)
    stores = await open_stores(settings)
    yield Scene(stores, settings)
    await stores.close()
