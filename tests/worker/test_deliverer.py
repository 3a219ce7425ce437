"""Every event reaches every callback, in order for each signature, however the callback behaves meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import time
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from smsign.actions import apps as app_actions
from smsign.actions import audits, callbacks, deliveries, redelivery, sandbox, signatures
from smsign.config import Settings
from smsign.domain.audits import REASONS
from smsign.domain.callbacks import Callback, Delivery
from smsign.domain.events import Subject
from smsign.domain.formats import FORMATS
from smsign.errors import ApiError
from smsign.storage.rows import events
from smsign.worker.deliverer import Deliverer
from tests.worker.receiver import Got, Receiver, check_order, echo, firsts, says, silent, status
from tests.worker.scene import SECOND, Scene

pytestmark = pytest.mark.process

SLOW = """WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 6000000)
  SELECT count(*) FROM counted"""
"""A page that takes a second or more."""


def verify(got: Got, secret: str | None) -> dict[str, object]:
    assert secret is not None
    return dict(Webhook(secret).verify(got.body, got.headers))


async def kinds(scene: Scene, app_id: int) -> list[str]:
    return [event.kind for event in await events.list_(scene.stores.db.read, Subject.APP, app_id)]


async def test_the_standard_form_tells_every_event_signed_and_in_order(
    scene: Scene, receiver: Receiver
) -> None:
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    assert receiver.got == [], "nothing is sent before the secret is known"
    sign_id = await scene.walk(app)
    await scene.drain()
    secret = callbacks.secret_of(scene.stores.vault, app, callback)
    reported = [verify(got, secret) for got in receiver.got]
    common = {"sign_id": sign_id, "sign": "极光推送"}
    assert [each["type"] for each in reported] == [
        "signature.submitted",
        "signature.refused",
        "signature.resubmitted",
        "signature.passed",
    ]
    assert reported[0]["data"] == common | {"status": 0, "version": 1, "seq": 1}
    refused = dict(reported[1]["data"])  # type: ignore[call-overload]
    assert refused.pop("reasons") == [
        {
            "code": "unreadable",
            "field": "images",
            "title": "Image unreadable",
            "advice": REASONS["unreadable"].advice.en,
        }
    ]
    assert refused.pop("refuse_reason").startswith("Image unreadable: ")
    assert refused == common | {"status": 2, "version": 1, "seq": 2}
    assert reported[2]["data"] == common | {"sign": "改后签名", "status": 0, "version": 2, "seq": 3}
    assert reported[3]["data"] == common | {"sign": "改后签名", "status": 1, "version": 2, "seq": 4}
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 4
    assert "auditor" not in receiver.got[1].body.decode()
    assert await scene.waiting(callback) == []
    made = await scene.deliveries(callback)
    assert [(each.state, each.status, each.answer, each.attempt) for each in made] == [
        ("delivered", 200, "ok", 1)
    ] * 4
    assert [each.body.encode() for each in made] == [got.body for got in receiver.got]
    assert scene.reported == [("standard", "delivered")] * 4


async def test_what_is_reported_is_of_the_moment_of_the_event(scene: Scene, receiver: Receiver) -> None:
    app = await scene.make_app()
    await scene.register(app, receiver.url)
    db = scene.stores.db
    who: dict[str, Any] = {"app": app, "actor": "test:app"}
    sign_id = await scene.submit(app)
    await signatures.withdraw(db, signature_id=sign_id, now=scene.tick(), **who)
    await scene.submit(app, "改后签名", sign_id)
    await scene.decide(sign_id, "format")
    await audits.reopen(db, signature_id=sign_id, reason="再看", actor="test:admin", now=scene.tick())
    await signatures.delete(db, signature_id=sign_id, now=scene.tick(), **who)
    await scene.drain()
    reported = [(got.json["type"].partition(".")[2], got.json["data"]) for got in receiver.got]
    assert [(kind, data["status"], data["version"], data["sign"]) for kind, data in reported] == [
        ("submitted", 0, 1, "极光推送"),
        ("withdrawn", 2, 1, "极光推送"),
        ("resubmitted", 0, 2, "改后签名"),
        ("refused", 2, 2, "改后签名"),
        ("reopened", 0, 3, "改后签名"),
        ("deleted", 0, 3, "改后签名"),
    ]


async def test_the_vendors_form_is_as_its_receivers_know_it(scene: Scene, receiver: Receiver) -> None:
    receiver.behave = echo
    app = await scene.make_app()
    secret = await app_actions.show_secret(
        scene.stores.db, scene.stores.vault, app=app, actor="test:owner", now=scene.tick()
    )
    await scene.register(app, receiver.url + "?a=b", "vendor")
    (asked,) = receiver.got
    assert asked.method == "GET"
    path, _, text = asked.target.partition("&echostr=")
    assert (path, len(text)) == ("/callback?a=b", 8)
    sign_id = await scene.walk(app)
    await scene.drain()
    assert len(receiver.got) == 3, "the two decisions, and nothing else"
    for got, outcome in zip(receiver.got[1:], (2, 1), strict=True):
        assert got.method == "POST"
        assert got.headers["content-type"] == "application/x-www-form-urlencoded"
        fields = {name: values[0] for name, values in parse_qs(got.body.decode()).items()}
        assert list(fields) == ["nonce", "signature", "timestamp", "type", "data"]
        text = (
            f"appKey={app.app_key}&appMasterSecret={secret}"
            f"&nonce={fields['nonce']}&timestamp={fields['timestamp']}"
        )
        assert fields["signature"] == hashlib.sha1(text.encode()).hexdigest()
        assert len(fields["timestamp"]) == 13
        assert fields["type"] == "SMS_SIGN"
        reason = '"Image unreadable: ' if outcome == 2 else "null}"
        assert fields["data"].startswith(f'{{"signId":{sign_id},"status":{outcome},"refuseReason":{reason}')


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
@pytest.mark.parametrize("behave", [status(200), status(500), says(b""), status(302)])
async def test_who_does_not_echo_is_not_registered(scene: Scene, receiver: Receiver, behave: object) -> None:
    receiver.behave = behave  # type: ignore[assignment]
    app = await scene.make_app()
    with pytest.raises(ApiError, match="51005") as refused:
        await scene.register(app, receiver.url, "vendor")
    assert "echostr" in refused.value.problems[0].reason.en
    assert await kinds(scene, app.id) == ["app.created"]


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", 51001),
        ("ftp://example.com/", 51001),
        ("https://user:pass@example.com/", 51001),
        ("https://user@example.com/", 51001),
        ("https://@example.com/", 51001),
        ("https://exa mple.com/", 51001),
        ("https://example.com/#part", 51001),
        ("https://example.com:99999/", 51001),
        ("https://例子.test/", 51001),
        ("https:///path", 51001),
        ("https://[::1/", 51001),
        ("https://example.com/" + "x" * 2000, 51001),
        ("https://10.0.0.1/", 51005),
        ("http://169.254.169.254/latest/meta-data", 51005),
        ("http://[::1]/", 51005),
        ("http://[::ffff:10.0.0.1]/", 51005),
        ("http://2130706433/", 51005),
        ("http://no-such-name.invalid/", 51005),
    ],
)
async def test_an_address_that_may_not_be_sent_to_is_not_registered(
    scene: Scene, url: str, code: int
) -> None:
    app = await scene.make_app()
    if url == "http://2130706433/":  # the loopback, written otherwise; this scene allows it
        scene.sender._guard._allowed = ()
    with pytest.raises(ApiError, match=str(code)) as refused:
        await scene.register(app, url)
    assert refused.value.problems[0].field == "url"


async def test_everything_wrong_is_said_at_once_and_nothing_twice(scene: Scene, receiver: Receiver) -> None:
    app = await scene.make_app()
    with pytest.raises(ApiError) as refused:
        await scene.register(app, "nowhere", "other")
    assert [problem.field for problem in refused.value.problems] == ["url", "format"]
    await scene.register(app, receiver.url)
    with pytest.raises(ApiError, match="51001"):
        await scene.register(app, receiver.url)
    for n in range(9):
        await scene.register(app, f"{receiver.url}/{n}")
    with pytest.raises(ApiError, match="51001"):
        await scene.register(app, f"{receiver.url}/more")


async def fail_until_paused(scene: Scene, callback: Callback) -> list[Delivery]:
    """Deliver whenever something is due until the callback is paused; return the attempts."""
    for _ in range(30):
        await scene.drain()
        if (await scene.callback(callback)).state == "paused":
            break
        due = [row[2] for row in await scene.waiting(callback) if row[2] is not None]
        scene.now = max(scene.now, min(due))
    return list(await scene.deliveries(callback))


async def test_the_vendors_retries_then_a_pause_then_all_in_order(scene: Scene, receiver: Receiver) -> None:
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
    assert (await kinds(scene, app.id))[-1] == "callback.paused"
    receiver.open()
    await scene.drain(after_s=10**6)
    assert len(receiver.got) == 1, "a paused callback is left alone"
    await callbacks.resume(
        scene.stores.db, app=app, callback_id=callback.id, actor="test:owner", now=scene.tick()
    )
    await scene.drain()
    datas = [msgspec.json.decode(parse_qs(got.body.decode())["data"][0]) for got in receiver.got[1:]]
    assert [data["status"] for data in datas] == [2, 1]
    assert (await kinds(scene, app.id))[-1] == "callback.resumed"


async def test_the_standard_schedule_is_longer_and_spread(scene: Scene, receiver: Receiver) -> None:
    receiver.behave = status(500)
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    await scene.submit(app)
    made = await fail_until_paused(scene, callback)
    form = FORMATS["standard"]
    waits = [(after.at - before.at) / SECOND for before, after in itertools.pairwise(made)]
    assert len(waits) == len(form.retry_s) == 10
    for wait, wanted in zip(waits, form.retry_s, strict=True):
        assert 0.79 * wanted <= wait <= 1.21 * wanted
    assert any(abs(wait - wanted) > 0.01 * wanted for wait, wanted in zip(waits, form.retry_s, strict=True))
    assert [each.attempt for each in made] == list(range(1, 12))
    assert {(each.state, each.status, each.answer) for each in made} == {("failed", 500, "told")}
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    assert len({got.body for got in receiver.got}) == 1, "the same words every time"


@pytest.mark.parametrize(
    ("code", "asked", "wait_s"),
    [
        (429, "3600", 3600),
        (503, "3600", 3600),
        (429, "0", 180),
        (429, "soon", 180),
        (503, "99999999999999999999", 43_200),
        (500, "3600", 180),
    ],
)
async def test_a_busy_receiver_is_left_alone_for_as_long_as_it_asks(
    scene: Scene, receiver: Receiver, code: int, asked: str, wait_s: int
) -> None:
    receiver.behave = echo
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url, "vendor")
    receiver.behave = says(
        f"HTTP/1.1 {code} Busy\r\nRetry-After: {asked}\r\nContent-Length: 0\r\n\r\n".encode()
    )
    await scene.decide(await scene.submit(app))
    await scene.drain()
    at, [(_, _, due_at)] = scene.now, await scene.waiting(callback)
    assert due_at - at == wait_s * SECOND
    await scene.drain(after_s=wait_s - 1)
    assert len(await scene.deliveries(callback)) == 1, "not yet"
    receiver.behave = echo
    await scene.drain(after_s=1)
    assert [each.state for each in await scene.deliveries(callback)] == ["failed", "delivered"]


async def test_a_callback_that_asks_to_be_left_alone_hears_of_no_other_signature(
    scene: Scene, receiver: Receiver
) -> None:
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    receiver.behave = says(b"HTTP/1.1 429 Busy\r\nRetry-After: 600\r\nContent-Length: 0\r\n\r\n")
    first = await scene.submit(app)
    await scene.drain()
    await scene.decide(first)
    for _ in range(3):
        await scene.decide(await scene.submit(app))
    receiver.behave = status(200)
    await scene.drain(after_s=598)
    assert len(await scene.deliveries(callback)) == 1, "asked for 600 s"
    await scene.drain(after_s=2)
    assert len(await scene.deliveries(callback)) == 1 + 2 + 6


async def test_who_resumes_a_callback_does_not_wait_for_what_it_asked(
    scene: Scene, receiver: Receiver
) -> None:
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    receiver.behave = says(b"HTTP/1.1 503 Busy\r\nRetry-After: 99999\r\nContent-Length: 0\r\n\r\n")
    await scene.submit(app)
    await scene.drain()
    receiver.behave = status(200)
    await callbacks.resume(
        scene.stores.db, app=app, callback_id=callback.id, actor="test:owner", now=scene.tick()
    )
    await scene.drain()
    assert [each.state for each in await scene.deliveries(callback)] == ["failed", "delivered"]


async def test_one_event_that_chokes_it_does_not_pause_a_callback(scene: Scene, receiver: Receiver) -> None:
    app, other = await scene.make_app(), await scene.make_app()
    callback = await scene.register(app, receiver.url)
    poison = await scene.submit(app)
    await scene.decide(poison)

    async def choke(got: Got, writer: asyncio.StreamWriter) -> None:
        good = got.json["data"]["sign_id"] != poison
        await status(200 if good else 500)(got, writer)

    receiver.behave = choke
    for _ in range(14):
        sign_id = await scene.submit(app)
        await scene.decide(sign_id)
        await scene.drain(after_s=100_000)
    found = await scene.callback(callback)
    assert found.state == "active"
    assert [row[:2] for row in await scene.waiting(callback)] == [(poison, 1), (poison, 2)]
    assert len(firsts(receiver.got)) == 1 + 2 * 14
    assert other.id != app.id


async def test_a_callback_that_says_it_is_gone_is_paused_at_once(scene: Scene, receiver: Receiver) -> None:
    receiver.behave = status(410)
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    await scene.submit(app)
    await scene.drain()
    assert ((await scene.callback(callback)).why, len(receiver.got)) == ("gone", 1)


async def test_when_it_is_well_again_nothing_waits_for_its_next_try(scene: Scene, receiver: Receiver) -> None:
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
    await scene.drain(after_s=72)  # the first of them is due by now, others perhaps not
    check_order(receiver.got)
    assert len(receiver.got) == 10
    assert await scene.waiting(callback) == []
    assert (await scene.callback(callback)).failing_since is None


async def test_after_a_rotation_both_secrets_sign_until_the_overlap_ends(
    scene: Scene, receiver: Receiver
) -> None:
    app = await scene.make_app()
    old = await scene.register(app, receiver.url)
    new = await callbacks.rotate(
        scene.stores.db,
        scene.stores.vault,
        app=app,
        callback_id=old.id,
        overlap_s=60,
        actor="test:owner",
        now=scene.tick(),
    )
    old_secret, new_secret = (callbacks.secret_of(scene.stores.vault, app, each) for each in (old, new))
    assert old_secret != new_secret
    await scene.submit(app)
    await scene.drain()
    verify(receiver.got[-1], old_secret)
    verify(receiver.got[-1], new_secret)
    scene.now += 61 * SECOND
    await scene.decide(firsts(receiver.got)[0][0])
    await scene.drain()
    verify(receiver.got[-1], new_secret)
    with pytest.raises(WebhookVerificationError):
        verify(receiver.got[-1], old_secret)
    assert (await kinds(scene, app.id))[-2:] == ["callback.secret_rotated", "app.use_changed"]


async def test_a_form_without_a_secret_has_none_to_rotate(scene: Scene, receiver: Receiver) -> None:
    receiver.behave = echo
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url, "vendor")
    assert callbacks.secret_of(scene.stores.vault, app, callback) is None
    with pytest.raises(ApiError, match="51001"):
        await callbacks.rotate(
            scene.stores.db,
            scene.stores.vault,
            app=app,
            callback_id=callback.id,
            overlap_s=60,
            actor="test:owner",
            now=scene.tick(),
        )


async def test_a_delivery_is_sent_again_and_a_whole_span_in_order(scene: Scene, receiver: Receiver) -> None:
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    begun = scene.now
    sign_ids = [await scene.walk(app) for _ in range(3)]
    await scene.drain()
    first = (await scene.deliveries(callback))[0]
    receiver.got.clear()
    await redelivery.resend(
        scene.stores.db,
        app=app,
        callback_id=callback.id,
        delivery_id=first.id,
        actor="test:owner",
        now=scene.tick(),
    )
    await scene.drain()
    assert [got.place for got in receiver.got] == [(first.signature_id, first.seq)]
    receiver.got.clear()
    made = await redelivery.replay(
        scene.stores.db,
        app=app,
        callback_id=callback.id,
        since=begun,
        until=scene.now,
        actor="test:owner",
        now=scene.tick(),
    )
    assert made == 12
    await scene.drain()
    check_order(receiver.got)
    assert sorted(got.place for got in receiver.got) == [
        (sign_id, seq) for sign_id in sign_ids for seq in (1, 2, 3, 4)
    ]
    assert (await kinds(scene, app.id))[-2:] == ["callback.resent", "callback.replayed"]
    with pytest.raises(ApiError, match="51001"):
        await redelivery.replay(
            scene.stores.db,
            app=app,
            callback_id=callback.id,
            since=5,
            until=5,
            actor="test:owner",
            now=scene.tick(),
        )


async def test_what_is_put_before_a_row_that_waits_goes_first(scene: Scene, receiver: Receiver) -> None:
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    sign_id = await scene.submit(app)
    await scene.drain()
    receiver.close()
    await scene.decide(sign_id)
    await scene.drain()
    (reported, _) = await scene.deliveries(callback)
    await redelivery.resend(
        scene.stores.db,
        app=app,
        callback_id=callback.id,
        delivery_id=reported.id,
        actor="test:owner",
        now=scene.tick(),
    )
    assert [row[1:] for row in await scene.waiting(callback)] == [(1, scene.now), (2, None)]
    receiver.open()
    receiver.got.clear()
    await scene.drain()
    assert [got.place[1] for got in receiver.got] == [1, 2]


async def test_another_applications_callback_is_not_there(scene: Scene, receiver: Receiver) -> None:
    app, other = await scene.make_app(), await scene.make_app()
    callback = await scene.register(app, receiver.url)
    await scene.submit(app)
    await scene.drain()
    (delivery,) = await scene.deliveries(callback)
    common: dict[str, Any] = {
        "app": other,
        "callback_id": callback.id,
        "actor": "test:owner",
        "now": scene.tick(),
    }
    db, vault = scene.stores.db, scene.stores.vault
    for call in (
        callbacks.remove(db, **common),
        callbacks.rotate(db, vault, overlap_s=0, **common),
        callbacks.pause(db, **common),
        callbacks.resume(db, **common),
        redelivery.resend(db, delivery_id=delivery.id, **common),
        redelivery.replay(db, since=1, until=2, **common),
    ):
        with pytest.raises(ApiError, match="51004"):
            await call


async def test_a_callback_that_was_removed_is_sent_nothing_and_swept(
    scene: Scene, receiver: Receiver
) -> None:
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    await scene.walk(app)
    await callbacks.remove(
        scene.stores.db, app=app, callback_id=callback.id, actor="test:owner", now=scene.tick()
    )
    await scene.drain()
    assert receiver.got == []
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


async def test_a_slow_callback_holds_up_nobody(scene: Scene, receiver: Receiver) -> None:
    slow = Receiver().open()
    slow.behave = silent
    app, other = await scene.make_app(), await scene.make_app()
    waits = await scene.register(app, slow.url)
    await scene.register(other, receiver.url)
    for each in (app, other):
        for _ in range(15):
            await scene.decide(await scene.submit(each))
    started = time.monotonic()
    running = asyncio.create_task(scene.deliverer.run())
    while len(receiver.got) < 30 and time.monotonic() - started < 10:
        await asyncio.sleep(0.01)
    assert len(receiver.got) == 30
    assert slow.connections <= 8, "so many at once, and no more"
    scene.deliverer.stop()
    await running
    check_order(receiver.got)
    assert len(await scene.waiting(waits)) == 30
    slow.end()


async def test_a_slow_scan_holds_up_no_delivery_and_no_test_decision(
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
    assert not slow.done(), "it took too short to show anything"
    await slow


async def test_a_stop_finishes_what_is_in_flight(scene: Scene, receiver: Receiver) -> None:
    async def slowly(got: Got, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)
        await status(200)(got, writer)

    receiver.behave = slowly
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    await scene.decide(await scene.submit(app))
    running = asyncio.create_task(scene.deliverer.run())
    while not receiver.got:
        await asyncio.sleep(0.01)
    scene.deliverer.stop()
    await running
    assert [(each.seq, each.state) for each in await scene.deliveries(callback)] == [(1, "delivered")]
    assert [row[1] for row in await scene.waiting(callback)] == [2]


async def test_a_lease_that_ran_out_is_taken_by_another_and_the_late_one_changes_nothing(
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
        prepared = await deliveries.write(db.read, vault, each, language="en", now=scene.now)
        assert prepared is not None
        answer = await scene.sender.send(prepared.sent)
        await deliveries.record(db, prepared, answer, chance=0, at=scene.now, now=scene.now)
        assert [row[1] for row in await scene.waiting(callback)] == ([1, 2] if each is late else [2])
    assert len(await scene.deliveries(callback)) == 2


async def test_paused_by_hand_waits_and_is_recorded_once(scene: Scene, receiver: Receiver) -> None:
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    for _ in range(2):
        paused = await callbacks.pause(
            scene.stores.db, app=app, callback_id=callback.id, actor="test:owner", now=scene.tick()
        )
    assert (paused.state, paused.why) == ("paused", "by_hand")
    assert (await kinds(scene, app.id)).count("callback.paused") == 1
    sign_id = await scene.submit(app)
    await audits.decide(
        scene.stores.db, signature_id=sign_id, passed=True, actor="test:auditor", now=scene.tick()
    )
    await scene.drain()
    assert receiver.got == []
    await callbacks.resume(
        scene.stores.db, app=app, callback_id=callback.id, actor="test:owner", now=scene.tick()
    )
    await scene.drain()
    assert [got.place[1] for got in receiver.got] == [1, 2]


async def test_a_database_that_is_away_is_logged_without_a_traceback(
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
