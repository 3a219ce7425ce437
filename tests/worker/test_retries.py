"""Retries: schedules, jitter, Retry-After, pauses."""

from __future__ import annotations

import asyncio
import itertools
from urllib.parse import parse_qs

import msgspec
import pytest

from smsign.actions import audits
from smsign.domain.callbacks import Callback, Delivery
from smsign.domain.formats import FORMATS
from tests.worker.receiver import Received, Receiver, check_order, echo, first_arrivals, respond, status
from tests.worker.scene import SECOND, Scene

pytestmark = pytest.mark.process


async def fail_until_paused(scene: Scene, callback: Callback) -> list[Delivery]:
    """Deliver whenever something is due until the callback is paused; return the attempts."""
    for _ in range(30):
        await scene.drain()
        if (await scene.callback(callback)).state == "paused":
            break
        due = [row[2] for row in await scene.waiting(callback) if row[2] is not None]
        scene.now = max(scene.now, min(due))
    return list(await scene.deliveries(callback))


async def test_vendor_schedule_ends_in_a_pause_and_resume_delivers_in_order(
    scene: Scene, receiver: Receiver
) -> None:
    receiver.behave = echo
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url, "vendor")
    await scene.walk(app)
    receiver.close()
    made = await fail_until_paused(scene, callback)
    waits = [round((after.at - before.at) / SECOND) for before, after in itertools.pairwise(made)]
    assert waits == [180, 3600, 43_200]
    assert {each.seq for each in made} == {2}, "the later event waits for the earlier one"
    assert all(each.error and each.status is None for each in made)
    paused = await scene.callback(callback)
    assert (paused.state, paused.why) == ("paused", "failing")
    assert (await scene.app_events(app))[-1] == "callback.paused"
    receiver.open()
    await scene.drain(after_s=10**6)
    assert len(receiver.requests) == 1, "nothing is sent to a paused callback"
    await scene.resume(app, callback)
    await scene.drain()
    datas = [msgspec.json.decode(parse_qs(got.body.decode())["data"][0]) for got in receiver.requests[1:]]
    assert [data["status"] for data in datas] == [2, 1]
    assert (await scene.app_events(app))[-1] == "callback.resumed"


async def test_standard_schedule_is_longer_and_has_jitter(scene: Scene, receiver: Receiver) -> None:
    receiver.behave = status(500)
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    await scene.submit(app)
    made = await fail_until_paused(scene, callback)
    standard = FORMATS["standard"]
    waits = [(after.at - before.at) / SECOND for before, after in itertools.pairwise(made)]
    assert len(waits) == len(standard.retry_s) == 10
    for wait, wanted in zip(waits, standard.retry_s, strict=True):
        assert 0.79 * wanted <= wait <= 1.21 * wanted
    assert any(
        abs(wait - wanted) > 0.01 * wanted for wait, wanted in zip(waits, standard.retry_s, strict=True)
    )
    assert [each.attempt for each in made] == list(range(1, 12))
    assert {(each.state, each.status, each.answer) for each in made} == {("failed", 500, "body")}
    assert len({got.headers["webhook-id"] for got in receiver.requests}) == 1
    assert len({got.body for got in receiver.requests}) == 1, "the body is the same at each attempt"


@pytest.mark.parametrize(
    ("code", "retry_after", "wait_s"),
    [
        (429, "3600", 3600),
        (503, "3600", 3600),
        (429, "0", 180),
        (429, "soon", 180),
        (503, "99999999999999999999", 43_200),
        (500, "3600", 180),
    ],
)
async def test_retry_after_of_429_and_503_delays_the_next_attempt(
    scene: Scene, receiver: Receiver, code: int, retry_after: str, wait_s: int
) -> None:
    receiver.behave = echo
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url, "vendor")
    receiver.behave = respond(
        f"HTTP/1.1 {code} Busy\r\nRetry-After: {retry_after}\r\nContent-Length: 0\r\n\r\n".encode()
    )
    await scene.decide(await scene.submit(app))
    await scene.drain()
    at, [(_, _, due_at)] = scene.now, await scene.waiting(callback)
    assert due_at - at == wait_s * SECOND
    await scene.drain(after_s=wait_s - 1)
    assert len(await scene.deliveries(callback)) == 1, "too early"
    receiver.behave = echo
    await scene.drain(after_s=1)
    assert [each.state for each in await scene.deliveries(callback)] == ["failed", "delivered"]


async def test_retry_after_delays_the_events_of_all_signatures(scene: Scene, receiver: Receiver) -> None:
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    receiver.behave = respond(b"HTTP/1.1 429 Busy\r\nRetry-After: 600\r\nContent-Length: 0\r\n\r\n")
    first = await scene.submit(app)
    await scene.drain()
    await scene.decide(first)
    for _ in range(3):
        await scene.decide(await scene.submit(app))
    receiver.behave = status(200)
    await scene.drain(after_s=598)
    assert len(await scene.deliveries(callback)) == 1, "Retry-After was 600 s"
    await scene.drain(after_s=2)
    assert len(await scene.deliveries(callback)) == 1 + 2 + 6


async def test_resume_ignores_an_earlier_retry_after(scene: Scene, receiver: Receiver) -> None:
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    receiver.behave = respond(b"HTTP/1.1 503 Busy\r\nRetry-After: 99999\r\nContent-Length: 0\r\n\r\n")
    await scene.submit(app)
    await scene.drain()
    receiver.behave = status(200)
    await scene.resume(app, callback)
    await scene.drain()
    assert [each.state for each in await scene.deliveries(callback)] == ["failed", "delivered"]


async def test_one_poison_event_does_not_pause_the_callback(scene: Scene, receiver: Receiver) -> None:
    app, other = await scene.make_app(), await scene.make_app()
    callback = await scene.register(app, receiver.url)
    poison = await scene.submit(app)
    await scene.decide(poison)

    async def fail_on_poison(got: Received, writer: asyncio.StreamWriter) -> None:
        good = got.json["data"]["sign_id"] != poison
        await status(200 if good else 500)(got, writer)

    receiver.behave = fail_on_poison
    for _ in range(14):
        sign_id = await scene.submit(app)
        await scene.decide(sign_id)
        await scene.drain(after_s=100_000)
    found = await scene.callback(callback)
    assert found.state == "active"
    assert [row[:2] for row in await scene.waiting(callback)] == [(poison, 1), (poison, 2)]
    assert len(first_arrivals(receiver.requests)) == 1 + 2 * 14
    assert other.id != app.id


async def test_410_gone_pauses_the_callback_at_once(scene: Scene, receiver: Receiver) -> None:
    receiver.behave = status(410)
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    await scene.submit(app)
    await scene.drain()
    assert ((await scene.callback(callback)).why, len(receiver.requests)) == ("gone", 1)


async def test_first_success_after_failures_retries_everything_at_once(
    scene: Scene, receiver: Receiver
) -> None:
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    receiver.close()
    for _ in range(5):
        sign_id = await scene.submit(app)
        await scene.decide(sign_id)
    await scene.drain()
    await scene.drain(after_s=10)
    assert (await scene.callback(callback)).failures == 10
    receiver.open()
    await scene.drain(after_s=72)  # the first one is due by now, others perhaps not
    check_order(receiver.requests)
    assert len(receiver.requests) == 10
    assert await scene.waiting(callback) == []
    assert (await scene.callback(callback)).failing_since is None


async def test_pause_by_hand_is_recorded_once_and_events_wait_for_resume(
    scene: Scene, receiver: Receiver
) -> None:
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    for _ in range(2):
        paused = await scene.pause(app, callback)
    assert (paused.state, paused.why) == ("paused", "by_hand")
    assert (await scene.app_events(app)).count("callback.paused") == 1
    sign_id = await scene.submit(app)
    await audits.decide(
        scene.stores.db, signature_id=sign_id, passed=True, actor="test:auditor", now=scene.tick()
    )
    await scene.drain()
    assert receiver.requests == []
    await scene.resume(app, callback)
    await scene.drain()
    assert [got.position[1] for got in receiver.requests] == [1, 2]
