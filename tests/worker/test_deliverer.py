"""The deliverer: isolation of slow receivers, graceful stop, leases, outages."""

from __future__ import annotations

import asyncio
import time

import pytest

from smsign.actions import deliveries, sandbox
from smsign.config import Settings
from smsign.worker.deliverer import Deliverer
from tests.worker.receiver import Received, Receiver, check_order, hang, status
from tests.worker.scene import SECOND, Scene

pytestmark = pytest.mark.process

SLOW = """WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 6000000)
  SELECT count(*) FROM counted"""
"""A query that takes a second or more."""


async def test_slow_receiver_delays_no_other_callback(scene: Scene, receiver: Receiver) -> None:
    slow = Receiver().open()
    slow.behave = hang
    app, other = await scene.make_app(), await scene.make_app()
    waits = await scene.register(app, slow.url)
    await scene.register(other, receiver.url)
    for each in (app, other):
        for _ in range(15):
            await scene.decide(await scene.submit(each))
    started = time.monotonic()
    running = asyncio.create_task(scene.deliverer.run())
    while len(receiver.requests) < 30 and time.monotonic() - started < 10:
        await asyncio.sleep(0.01)
    assert len(receiver.requests) == 30
    assert slow.connections <= 8, "at most 4 of each application at once"
    scene.deliverer.stop()
    await running
    check_order(receiver.requests)
    assert len(await scene.waiting(waits)) == 30
    slow.end()


async def test_slow_scan_delays_neither_deliveries_nor_sandbox_decisions(
    scene: Scene, receiver: Receiver
) -> None:
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    await scene.submit(app)
    slow = asyncio.create_task(scene.stores.db.scan.all(SLOW))
    await asyncio.sleep(0.05)
    await scene.drain()
    await sandbox.decide_due(scene.stores.db, now=scene.now)
    assert [each.state for each in await scene.deliveries(callback)] == ["delivered"]
    assert not slow.done(), "the scan was too fast for this test"
    await slow


async def test_stop_finishes_running_deliveries(scene: Scene, receiver: Receiver) -> None:
    async def slowly(got: Received, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)
        await status(200)(got, writer)

    receiver.behave = slowly
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    await scene.decide(await scene.submit(app))
    running = asyncio.create_task(scene.deliverer.run())
    while not receiver.requests:
        await asyncio.sleep(0.01)
    scene.deliverer.stop()
    await running
    assert [(each.seq, each.state) for each in await scene.deliveries(callback)] == [(1, "delivered")]
    assert [row[1] for row in await scene.waiting(callback)] == [2]


async def test_expired_lease_is_taken_over_and_the_late_worker_changes_nothing(
    scene: Scene, receiver: Receiver
) -> None:
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    await scene.decide(await scene.submit(app))
    db, vault = scene.stores.db, scene.stores.vault
    (late,) = await deliveries.claim(db, {callback.id: 9}, lease_s=5, now=scene.now)
    assert await deliveries.claim(db, {callback.id: 9}, lease_s=5, now=scene.now) == []
    scene.now += 6 * SECOND
    (row,) = await deliveries.claim(db, {callback.id: 9}, lease_s=5, now=scene.now)
    for each in (late, row):
        prepared = await deliveries.prepare(db.read, vault, each, language="en", now=scene.now)
        assert prepared is not None
        response = await scene.sender.send(prepared.request)
        await deliveries.record_attempt(db, prepared, response, chance=0, at=scene.now, now=scene.now)
        assert [row[1] for row in await scene.waiting(callback)] == ([1, 2] if each is late else [2])
    assert len(await scene.deliveries(callback)) == 2


async def test_database_outage_is_logged_without_a_traceback(
    scene: Scene, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async def rename(old: str, new: str) -> None:
        await scene.stores.db.write(lambda tx: tx.run(f"ALTER TABLE {old} RENAME TO {new}"))

    await rename("outbox", "gone")
    deliverer = Deliverer(scene.stores, settings, scene.sender)
    running = asyncio.create_task(deliverer.run())
    while not caplog.records:
        await asyncio.sleep(0.01)
    deliverer.stop()
    await running
    await rename("gone", "outbox")
    line = caplog.records[0]
    assert (line.levelname, line.getMessage()) == ("WARNING", "delivery loop failed")
    assert line.exc_info is None
