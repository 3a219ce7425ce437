"""Resending and replaying deliveries; removal of old ones."""

from __future__ import annotations

import pytest

from smsign.actions import callbacks, deliveries
from smsign.errors import ApiError
from tests.worker.receiver import Receiver, check_order
from tests.worker.scene import SECOND, Scene

pytestmark = pytest.mark.process


async def test_resend_one_delivery_and_replay_a_period_in_order(scene: Scene, receiver: Receiver) -> None:
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    begun = scene.now
    sign_ids = [await scene.walk(app) for _ in range(3)]
    await scene.drain()
    first = (await scene.deliveries(callback))[0]
    receiver.requests.clear()
    await scene.resend(app, callback, first)
    await scene.drain()
    assert [got.position for got in receiver.requests] == [(first.signature_id, first.seq)]
    receiver.requests.clear()
    made = await scene.replay(app, callback, since=begun, until=scene.now)
    assert made == 12
    await scene.drain()
    check_order(receiver.requests)
    assert sorted(got.position for got in receiver.requests) == [
        (sign_id, seq) for sign_id in sign_ids for seq in (1, 2, 3, 4)
    ]
    assert (await scene.app_events(app))[-2:] == ["callback.resent", "callback.replayed"]
    with pytest.raises(ApiError, match="51001"):
        await scene.replay(app, callback, since=5, until=5)


async def test_resent_event_goes_before_later_ones_that_wait(scene: Scene, receiver: Receiver) -> None:
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    sign_id = await scene.submit(app)
    await scene.drain()
    receiver.close()
    await scene.decide(sign_id)
    await scene.drain()
    (delivered, _) = await scene.deliveries(callback)
    await scene.resend(app, callback, delivered)
    assert [row[1:] for row in await scene.waiting(callback)] == [(1, scene.now), (2, None)]
    receiver.open()
    receiver.requests.clear()
    await scene.drain()
    assert [got.position[1] for got in receiver.requests] == [1, 2]


async def test_removed_callback_gets_nothing_and_its_outbox_is_swept(
    scene: Scene, receiver: Receiver
) -> None:
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    await scene.walk(app)
    await callbacks.remove(
        scene.stores.db, app=app, callback_id=callback.id, actor="test:owner", now=scene.tick()
    )
    await scene.drain()
    assert receiver.requests == []
    assert await deliveries.sweep(scene.stores.db, keep_days=30, now=scene.now) == 4
    assert await scene.waiting(callback) == []


async def test_old_deliveries_are_swept(scene: Scene, receiver: Receiver) -> None:
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    sign_id = await scene.submit(app)
    await scene.drain()
    scene.now += 31 * 86_400 * SECOND
    await scene.decide(sign_id)
    await scene.drain()
    assert await deliveries.sweep(scene.stores.db, keep_days=0, now=scene.now) == 0
    assert await deliveries.sweep(scene.stores.db, keep_days=30, now=scene.now) == 1
    assert [each.seq for each in await scene.deliveries(callback)] == [2]
