"""Receiving webhooks: verification of signatures and decoding. No I/O, no framework.

A request in the standard format, one in the vendor's, the response to a verification request:

    event = verify_standard(request.headers, request.body, secret)
    result = verify_vendor(request.body, app_key, master_secret)
    body = echo(request.query_string)

Each raises `WebhookVerificationError`: respond with 400 and do nothing else. Delivery is at least once:
deduplicate by `Event.id`, or by `EventData.seq`, which increases with each event of a signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Optional, Union
from urllib.parse import parse_qsl

import msgspec
from typing_extensions import TypeAlias

from smsign.client.errors import WebhookVerificationError
from smsign.client.models import Reason

TOLERANCE_S = 300.0
"""The maximum age of a webhook: clock skew and time in transit."""

Secrets: TypeAlias = Union[str, Sequence[str]]
"""One secret, or several during a rotation."""


class EventData(msgspec.Struct, frozen=True, kw_only=True):
    """The signature after the event; `seq` numbers the events of a signature."""

    sign_id: int
    sign: str
    status: int
    version: int
    seq: int
    refuse_reason: Optional[str] = None
    reasons: tuple[Reason, ...] = ()


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event in the standard format. `id` is the same in every attempt."""

    id: str = ""
    type: str
    timestamp: datetime
    data: EventData


class VendorResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A decision in the vendor's format."""

    sign_id: int
    status: int
    refuse_reason: Optional[str] = None


def verify_standard(
    headers: Mapping[str, str],
    body: bytes,
    secret: Secrets,
    *,
    tolerance_s: float = TOLERANCE_S,
    now_s: float | None = None,
) -> Event:
    """Verify a webhook signed with (one of) the `whsec_…` secret (Standard Webhooks); return its event.

    `body` is the request body as received, byte for byte. `now_s` replaces the clock.

    Raises: WebhookVerificationError; ValueError for an invalid secret.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    event_id, stamp = lower.get("webhook-id", ""), lower.get("webhook-timestamp", "")
    signatures = [part[3:] for part in lower.get("webhook-signature", "").split() if part.startswith("v1,")]
    if not event_id or not signatures or not stamp.isascii() or not stamp.isdigit():
        raise WebhookVerificationError(
            "the webhook-id, -timestamp or -signature header is missing or malformed"
        )
    _check_age(int(stamp[:15]), tolerance_s, now_s)
    signed = f"{event_id}.{stamp}.".encode() + body
    valid = False
    for key in [_key(each) for each in _list(secret)]:
        expected = base64.b64encode(hmac.digest(key, signed, "sha256"))
        for signature in signatures:
            valid |= hmac.compare_digest(expected, signature.encode("utf-8", "replace"))
    if not valid:
        raise WebhookVerificationError("no signature is valid: another secret, or the body was modified")
    try:
        event = msgspec.json.decode(body, type=Event)
    except msgspec.DecodeError as error:
        raise WebhookVerificationError(f"valid signature, invalid event: {error}") from error
    return msgspec.structs.replace(event, id=event_id)


def verify_vendor(
    body: bytes | str | Mapping[str, str],
    app_key: str,
    master_secret: Secrets,
    *,
    tolerance_s: float | None = None,
    now_s: float | None = None,
) -> VendorResult:
    """Verify a webhook in the vendor's format, given as its body or its form fields; return the decision.

    The vendor's signature does not cover the decision: one captured request is enough to forge others.
    Query the signature (`get_sign`) before you rely on it, or use the standard format.

    Raises: WebhookVerificationError.
    """
    fields = dict(body) if isinstance(body, Mapping) else _fields(body)
    nonce, stamp = fields.get("nonce", ""), fields.get("timestamp", "")
    signature = fields.get("signature", "").lower().encode("utf-8", "replace")
    valid = False
    for each in _list(master_secret):
        text = f"appKey={app_key}&appMasterSecret={each}&nonce={nonce}&timestamp={stamp}"
        expected = hashlib.sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest().encode()
        valid |= hmac.compare_digest(expected, signature)
    if not valid:
        raise WebhookVerificationError("the signature is invalid: another application's key, or a forgery")
    if tolerance_s is not None:
        if not stamp.isascii() or not stamp.isdigit():
            raise WebhookVerificationError("timestamp is malformed")
        _check_age(int(stamp[:18]) / 1000, tolerance_s, now_s)
    try:
        if fields.get("type") != "SMS_SIGN":
            raise WebhookVerificationError(f"type {fields.get('type')!r} is not SMS_SIGN")
        return msgspec.json.decode(fields.get("data", "").encode("utf-8", "replace"), type=VendorResult)
    except msgspec.DecodeError as error:
        raise WebhookVerificationError(f"data is invalid: {error}") from error


def echo(query: bytes | str | Mapping[str, str]) -> str:
    """Return the text/plain body for the verification request of the vendor's format.

    Raises: WebhookVerificationError unless `echostr` is eight letters and digits: nothing else is echoed.
    """
    fields = dict(query) if isinstance(query, Mapping) else _fields(query)
    text = fields.get("echostr", "")
    if len(text) != 8 or not text.isascii() or not text.isalnum():
        raise WebhookVerificationError("echostr is not eight letters and digits")
    return text


def _list(secrets: Secrets) -> list[str]:
    several = [secrets] if isinstance(secrets, str) else list(secrets)
    if not several or not all(several):
        raise ValueError("the secret is empty")
    return several


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise ValueError("the secret is not whsec_ and base64") from error
    if not key:
        raise ValueError("the secret is empty")
    return key


def _check_age(at_s: float, tolerance_s: float, now_s: float | None) -> None:
    off_s = (time.time() if now_s is None else now_s) - at_s
    if abs(off_s) > tolerance_s:
        raise WebhookVerificationError(
            f"{abs(off_s):.0f} s {'old' if off_s > 0 else 'ahead'}, at most {tolerance_s:g} s"
        )


def _fields(text: bytes | str) -> dict[str, str]:
    try:
        return dict(parse_qsl((text.decode() if isinstance(text, bytes) else text).lstrip("?")))
    except (UnicodeDecodeError, ValueError) as error:
        raise WebhookVerificationError(f"invalid form: {error}") from error
