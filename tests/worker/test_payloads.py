"""Delivered requests: format, content and signature."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import parse_qs

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from smsign.actions import apps as app_actions
from smsign.actions import audits, callbacks, signatures
from smsign.domain.audits import REASONS
from smsign.errors import ApiError
from tests.worker.receiver import Received, Receiver, echo, first_arrivals
from tests.worker.scene import SECOND, Scene

pytestmark = pytest.mark.process


def verify(got: Received, secret: str | None) -> dict[str, object]:
    assert secret is not None
    return dict(Webhook(secret).verify(got.body, got.headers))


async def test_standard_format_delivers_every_event_signed_and_in_order(
    scene: Scene, receiver: Receiver
) -> None:
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url)
    assert receiver.requests == [], "nothing is sent before the secret is known"
    sign_id = await scene.walk(app)
    await scene.drain()
    secret = callbacks.secret_of(scene.stores.vault, app, callback)
    payloads = [verify(got, secret) for got in receiver.requests]
    common = {"sign_id": sign_id, "sign": "极光推送"}
    assert [each["type"] for each in payloads] == [
        "signature.submitted",
        "signature.refused",
        "signature.resubmitted",
        "signature.passed",
    ]
    assert payloads[0]["data"] == common | {"status": 0, "version": 1, "seq": 1}
    refused = dict(payloads[1]["data"])  # type: ignore[call-overload]
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
    assert payloads[2]["data"] == common | {"sign": "改后签名", "status": 0, "version": 2, "seq": 3}
    assert payloads[3]["data"] == common | {"sign": "改后签名", "status": 1, "version": 2, "seq": 4}
    assert len({got.headers["webhook-id"] for got in receiver.requests}) == 4
    assert "auditor" not in receiver.requests[1].body.decode()
    assert await scene.waiting(callback) == []
    made = await scene.deliveries(callback)
    assert [(each.state, each.status, each.answer, each.attempt) for each in made] == [
        ("delivered", 200, "ok", 1)
    ] * 4
    assert [each.body.encode() for each in made] == [got.body for got in receiver.requests]
    assert scene.observed == [("standard", "delivered")] * 4


async def test_payload_has_the_state_at_the_time_of_the_event(scene: Scene, receiver: Receiver) -> None:
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
    payloads = [(got.json["type"].partition(".")[2], got.json["data"]) for got in receiver.requests]
    assert [(kind, data["status"], data["version"], data["sign"]) for kind, data in payloads] == [
        ("submitted", 0, 1, "极光推送"),
        ("withdrawn", 2, 1, "极光推送"),
        ("resubmitted", 0, 2, "改后签名"),
        ("refused", 2, 2, "改后签名"),
        ("reopened", 0, 3, "改后签名"),
        ("deleted", 0, 3, "改后签名"),
    ]


async def test_vendor_format_matches_the_contract(scene: Scene, receiver: Receiver) -> None:
    receiver.behave = echo
    app = await scene.make_app()
    secret = await app_actions.show_secret(
        scene.stores.db, scene.stores.vault, app=app, actor="test:owner", now=scene.tick()
    )
    await scene.register(app, receiver.url + "?a=b", "vendor")
    (probe,) = receiver.requests
    assert probe.method == "GET"
    path, _, text = probe.target.partition("&echostr=")
    assert (path, len(text)) == ("/hook?a=b", 8)
    sign_id = await scene.walk(app)
    await scene.drain()
    assert len(receiver.requests) == 3, "the two decisions, and nothing else"
    for got, outcome in zip(receiver.requests[1:], (2, 1), strict=True):
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


async def test_rotated_secret_overlaps_with_the_old_one(scene: Scene, receiver: Receiver) -> None:
    app = await scene.make_app()
    old = await scene.register(app, receiver.url)
    new = await scene.rotate(app, old)
    old_secret, new_secret = (callbacks.secret_of(scene.stores.vault, app, each) for each in (old, new))
    assert old_secret != new_secret
    await scene.submit(app)
    await scene.drain()
    verify(receiver.requests[-1], old_secret)
    verify(receiver.requests[-1], new_secret)
    scene.now += 61 * SECOND
    await scene.decide(first_arrivals(receiver.requests)[0][0])
    await scene.drain()
    verify(receiver.requests[-1], new_secret)
    with pytest.raises(WebhookVerificationError):
        verify(receiver.requests[-1], old_secret)
    assert (await scene.app_events(app))[-2:] == ["callback.secret_rotated", "app.use_changed"]


async def test_vendor_format_has_no_secret_to_rotate(scene: Scene, receiver: Receiver) -> None:
    receiver.behave = echo
    app = await scene.make_app()
    callback = await scene.register(app, receiver.url, "vendor")
    assert callbacks.secret_of(scene.stores.vault, app, callback) is None
    with pytest.raises(ApiError, match="51001"):
        await scene.rotate(app, callback)
