"""An application with a callback at a receiver, and a deliverer whose clock is set by hand."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from smsign.actions import apps, audits, callbacks, signatures
from smsign.config import Settings, networks
from smsign.domain.apps import App
from smsign.domain.callbacks import Callback, Delivery
from smsign.domain.signatures import Rules
from smsign.storage.open import Stores, open_stores
from smsign.storage.rows import callbacks as rows
from smsign.storage.rows import deliveries
from smsign.worker.deliverer import Deliverer
from smsign.worker.guard import Guard
from smsign.worker.sender import HttpSender

SECOND = 1_000_000


class Scene:
    """What the tests of deliveries work with; `now` is UTC microseconds."""

    def __init__(self, stores: Stores, settings: Settings) -> None:
        self.now = time.time_ns() // 1000
        self.stores = stores
        self.sender = HttpSender(
            Guard(networks("callback_networks", "127.0.0.0/8")), timeout_s=settings.callback_timeout
        )
        self.reported: list[tuple[str, str]] = []
        self.deliverer = Deliverer(
            stores,
            settings,
            self.sender,
            lambda form, outcome, _: self.reported.append((form, outcome)),
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

    async def register(self, app: App, url: str, form: str = "standard") -> Callback:
        return await callbacks.register(
            self.stores.db,
            self.stores.vault,
            self.sender,
            app=app,
            url=url,
            format=form,
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
        """Submit, refuse, submit again, pass: four events. Return the signature's id."""
        sign_id = await self.submit(app)
        await self.decide(sign_id, "unreadable")
        await self.submit(app, "改后签名", sign_id)
        await self.decide(sign_id)
        return sign_id

    async def drain(self, *, after_s: float = 0.0) -> None:
        """Let time pass, then deliver all that is due."""
        self.now += int(after_s * SECOND)
        await self.deliverer.drain()

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
