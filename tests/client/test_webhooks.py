"""Verification of received webhooks: valid signatures, and everything that must be rejected."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from standardwebhooks.webhooks import Webhook

from smsign.client import WebhookVerificationError, echo, verify_standard, verify_vendor

SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 24).decode()
BODY = json.dumps(
    {
        "type": "signature.refused",
        "timestamp": "2026-11-24T23:15:52.123456Z",
        "data": {
            "sign_id": 7,
            "sign": "极光推送",
            "status": 2,
            "version": 1,
            "seq": 2,
            "refuse_reason": "模糊",
            "reasons": [{"code": "unreadable", "field": "image0", "title": "t", "advice": "a"}],
            "later": "addition",
        },
    },
    ensure_ascii=False,
).encode()
NOW_S = 1_800_000_000


def _signed(body: bytes = BODY, *secrets: str, at: int = NOW_S, name: str = "Webhook") -> dict[str, str]:
    """Sign by the specification of Standard Webhooks."""
    signatures = []
    for secret in secrets or (SECRET,):
        key = base64.b64decode(secret.removeprefix("whsec_"))
        mac = hmac.new(key, b"msg_1.%d." % at + body, hashlib.sha256).digest()
        signatures.append("v1," + base64.b64encode(mac).decode())
    return {
        f"{name}-Id": "msg_1",
        f"{name}-Timestamp": str(at),
        f"{name}-Signature": " ".join(["v1a,ignored", *signatures]),
    }


def test_a_signed_event_is_verified_and_decoded() -> None:
    event = verify_standard(_signed(), BODY, SECRET, now_s=NOW_S + 10)
    assert (event.id, event.type, event.data.seq) == ("msg_1", "signature.refused", 2)
    assert event.data.reasons[0].code == "unreadable"
    assert event.timestamp.year == 2026


def test_a_signature_of_the_standardwebhooks_library_is_valid() -> None:
    at = datetime.fromtimestamp(NOW_S, UTC)
    signature = Webhook(SECRET).sign("msg_2", at, BODY.decode())
    headers = {"webhook-id": "msg_2", "webhook-timestamp": str(NOW_S), "webhook-signature": signature}
    assert verify_standard(headers, BODY, SECRET, now_s=NOW_S).id == "msg_2"


def test_both_secrets_are_valid_during_a_rotation() -> None:
    assert verify_standard(_signed(BODY, OTHER, SECRET), BODY, SECRET, now_s=NOW_S)
    assert verify_standard(_signed(BODY, OTHER), BODY, [SECRET, OTHER], now_s=NOW_S)
    with pytest.raises(WebhookVerificationError, match="no signature is valid"):
        verify_standard(_signed(BODY, OTHER), BODY, [SECRET], now_s=NOW_S)


def test_a_modified_body_timestamp_or_id_is_rejected() -> None:
    for headers, body in (
        (_signed(), BODY.replace(b"2,", b"1,", 1)),
        (_signed() | {"Webhook-Timestamp": str(NOW_S + 1)}, BODY),
        (_signed() | {"Webhook-Id": "msg_2"}, BODY),
        (_signed() | {"Webhook-Signature": "v1,"}, BODY),
        (_signed() | {"Webhook-Signature": "v1,非ASCII"}, BODY),
    ):
        with pytest.raises(WebhookVerificationError, match="no signature is valid"):
            verify_standard(headers, body, SECRET, now_s=NOW_S)


def test_a_timestamp_out_of_tolerance_is_rejected() -> None:
    for now_s in (NOW_S + 301, NOW_S - 301):
        with pytest.raises(WebhookVerificationError, match="301 s"):
            verify_standard(_signed(), BODY, SECRET, now_s=now_s)
    assert verify_standard(_signed(), BODY, SECRET, now_s=NOW_S + 301, tolerance_s=400)
    fresh = _signed(at=int(time.time()))
    assert verify_standard(fresh, BODY, SECRET)


def test_missing_or_malformed_headers_are_rejected() -> None:
    for name, value in (
        ("Webhook-Id", ""),
        ("Webhook-Timestamp", "soon"),
        ("Webhook-Timestamp", "²"),
        ("Webhook-Signature", ""),
        ("Webhook-Signature", "v2,abc"),
    ):
        with pytest.raises(WebhookVerificationError, match="missing or malformed"):
            verify_standard(_signed() | {name: value}, BODY, SECRET, now_s=NOW_S)
    with pytest.raises(WebhookVerificationError):
        verify_standard({}, BODY, SECRET)
    with pytest.raises(WebhookVerificationError):
        verify_standard(_signed() | {"Webhook-Timestamp": "9" * 4000}, BODY, SECRET)


def test_a_signed_body_that_is_not_an_event_is_rejected() -> None:
    with pytest.raises(WebhookVerificationError, match="invalid event"):
        verify_standard(_signed(b"[]"), b"[]", SECRET, now_s=NOW_S)


def test_an_empty_or_malformed_secret_raises_value_error() -> None:
    for secret in ("", [], [""], "whsec_", "whsec_!"):
        with pytest.raises(ValueError, match="secret"):
            verify_standard(_signed(), BODY, secret, now_s=NOW_S)
    with pytest.raises(ValueError, match="secret"):
        verify_vendor({}, "a" * 24, "")


KEY, MASTER = "a" * 24, "b" * 24
DATA = '{"signId":57496,"status":1,"refuseReason":null}'


def _vendor(**changed: str) -> dict[str, str]:
    stamp = str(NOW_S * 1000)
    text = f"appKey={KEY}&appMasterSecret={MASTER}&nonce=1234&timestamp={stamp}"
    return {
        "nonce": "1234",
        "signature": hashlib.sha1(text.encode()).hexdigest(),
        "timestamp": stamp,
        "type": "SMS_SIGN",
        "data": DATA,
    } | changed


def test_the_vendor_format_is_verified_from_fields_text_or_bytes() -> None:
    for form in (_vendor(), urlencode(_vendor()), urlencode(_vendor()).encode()):
        result = verify_vendor(form, KEY, ["c" * 24, MASTER])
        assert (result.sign_id, result.status, result.refuse_reason) == (57496, 1, None)
    refused = _vendor(data='{"signId":7,"status":2,"refuseReason":"模糊","more":1}')
    assert verify_vendor(refused, KEY, MASTER).refuse_reason == "模糊"


def test_another_secret_key_nonce_or_timestamp_is_rejected() -> None:
    for form, key, master in (
        (_vendor(), KEY, "c" * 24),
        (_vendor(), "c" * 24, MASTER),
        (_vendor(nonce="1235"), KEY, MASTER),
        (_vendor(timestamp="1"), KEY, MASTER),
        (_vendor(signature=""), KEY, MASTER),
        ({}, KEY, MASTER),
    ):
        with pytest.raises(WebhookVerificationError, match="signature is invalid"):
            verify_vendor(form, key, master)


def test_the_vendor_format_is_rejected_when_older_than_a_given_tolerance() -> None:
    assert verify_vendor(_vendor(), KEY, MASTER, tolerance_s=60, now_s=NOW_S + 30)
    with pytest.raises(WebhookVerificationError, match="old"):
        verify_vendor(_vendor(), KEY, MASTER, tolerance_s=60, now_s=NOW_S + 90)


def test_the_vendor_format_with_other_contents_is_rejected() -> None:
    for changed in ({"type": "SMS_TEMPLATE"}, {"data": "{"}, {"data": "{}"}, {"data": "\ud800"}):
        with pytest.raises(WebhookVerificationError):
            verify_vendor(_vendor(**changed), KEY, MASTER)
    with pytest.raises(WebhookVerificationError):
        verify_vendor(b"\xff=1", KEY, MASTER)


def test_only_eight_letters_and_digits_are_echoed() -> None:
    assert (
        echo("echostr=Ab3dEf9h") == echo({"echostr": "Ab3dEf9h"}) == echo(b"?echostr=Ab3dEf9h") == "Ab3dEf9h"
    )
    for wrong in ("", "echostr=short", "echostr=%3Cscript", "echostr=" + "a" * 9, "echostr=一二三四五六七八"):
        with pytest.raises(WebhookVerificationError):
            echo(wrong)
