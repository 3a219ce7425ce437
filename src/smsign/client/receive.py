"""The receiving side of callbacks: whether one is to be believed, and what it says. No I/O, no framework.

    event = verify_standard(request.headers, request.body, secret)    # the modern form
    result = verify_vendor(request.body, app_key, master_secret)      # the vendor's form
    answer(echo(request.query_string))                                # when that one is registered

Each raises `BadCallback`; answer such a request 400 and do nothing else. A callback may come twice: keep
`Event.id`, or compare `EventData.seq`, which grows with each event of a signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import parse_qsl

import msgspec

from smsign.client.errors import BadCallback
from smsign.client.results import Reason

TOLERANCE_S = 300.0
"""How far the sender's clock and the way may put a timestamp off."""

Secrets = str | Sequence[str]
"""One secret, or several while a rotation is under way."""


class EventData(msgspec.Struct, frozen=True, kw_only=True):
    """The signature as the event left it; `seq` counts the events of a signature."""

    sign_id: int
    sign: str
    status: int
    version: int
    seq: int
    refuse_reason: str | None = None
    reasons: tuple[Reason, ...] = ()


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A callback in the modern form. `id` is the same each time that it is sent."""

    id: str = ""
    type: str
    timestamp: datetime
    data: EventData


class VendorResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A callback in the vendor's form: what came of a signature in the audit."""

    sign_id: int
    status: int
    refuse_reason: str | None = None


def verify_standard(
    headers: Mapping[str, str],
    body: bytes,
    secret: Secrets,
    *,
    tolerance_s: float = TOLERANCE_S,
    now_s: float | None = None,
) -> Event:
    """Return the event in a callback that was signed with (one of) the `whsec_…` secret (Standard
    Webhooks).

    `body` is the body as received, byte by byte. `now_s` replaces the clock.

    Raises: BadCallback; ValueError for a secret that is none.
    """
    given = {name.lower(): value for name, value in headers.items()}
    event_id, stamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    signatures = [part[3:] for part in given.get("webhook-signature", "").split() if part.startswith("v1,")]
    if not event_id or not signatures or not stamp.isascii() or not stamp.isdigit():
        raise BadCallback("webhook-id, webhook-timestamp or webhook-signature is missing or malformed")
    _check_age(int(stamp[:15]), tolerance_s, now_s)
    signed = f"{event_id}.{stamp}.".encode() + body
    fits = False
    for key in [_key(each) for each in _several(secret)]:
        expected = base64.b64encode(hmac.digest(key, signed, "sha256"))
        for signature in signatures:
            fits |= hmac.compare_digest(expected, signature.encode("utf-8", "replace"))
    if not fits:
        raise BadCallback("no signature fits: another secret, or the body was changed on the way")
    try:
        event = msgspec.json.decode(body, type=Event)
    except msgspec.DecodeError as error:
        raise BadCallback(f"signed, but unreadable: {error}") from error
    return msgspec.structs.replace(event, id=event_id)


def verify_vendor(
    form: bytes | str | Mapping[str, str],
    app_key: str,
    master_secret: Secrets,
    *,
    tolerance_s: float | None = None,
    now_s: float | None = None,
) -> VendorResult:
    """Return the result in a callback of the vendor's form: its body, or its fields.

    The vendor's signature does not cover the result itself: whoever has seen one callback can forge
    another. Ask about the signature (`get_sign`) before you rely on it, or use the modern form.

    Raises: BadCallback.
    """
    fields = dict(form) if isinstance(form, Mapping) else _fields(form)
    nonce, stamp = fields.get("nonce", ""), fields.get("timestamp", "")
    signature = fields.get("signature", "").lower().encode("utf-8", "replace")
    fits = False
    for each in _several(master_secret):
        text = f"appKey={app_key}&appMasterSecret={each}&nonce={nonce}&timestamp={stamp}"
        expected = hashlib.sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest().encode()
        fits |= hmac.compare_digest(expected, signature)
    if not fits:
        raise BadCallback("the signature does not fit: another application's key, or a forgery")
    if tolerance_s is not None:
        if not stamp.isascii() or not stamp.isdigit():
            raise BadCallback("timestamp is malformed")
        _check_age(int(stamp[:18]) / 1000, tolerance_s, now_s)
    try:
        if fields.get("type") != "SMS_SIGN":
            raise BadCallback(f"type {fields.get('type')!r} is not that of signatures, SMS_SIGN")
        return msgspec.json.decode(fields.get("data", "").encode("utf-8", "replace"), type=VendorResult)
    except msgspec.DecodeError as error:
        raise BadCallback(f"data is unreadable: {error}") from error


def echo(query: bytes | str | Mapping[str, str]) -> str:
    """Return what to answer, as text/plain, when the vendor's form asks for an echo at registration.

    Raises: BadCallback unless there are eight letters and digits to echo: nothing else is sent back.
    """
    fields = dict(query) if isinstance(query, Mapping) else _fields(query)
    text = fields.get("echostr", "")
    if len(text) != 8 or not text.isascii() or not text.isalnum():
        raise BadCallback("echostr is not eight letters and digits")
    return text


def _several(secrets: Secrets) -> list[str]:
    several = [secrets] if isinstance(secrets, str) else list(secrets)
    if not several or not all(several):
        raise ValueError("an empty secret verifies nothing")
    return several


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise ValueError("a secret of callbacks is whsec_ and base64") from error
    if not key:
        raise ValueError("an empty secret verifies nothing")
    return key


def _check_age(at_s: float, tolerance_s: float, now_s: float | None) -> None:
    off_s = (time.time() if now_s is None else now_s) - at_s
    if abs(off_s) > tolerance_s:
        raise BadCallback(f"{abs(off_s):.0f} s {'old' if off_s > 0 else 'ahead'}, at most {tolerance_s:g} s")


def _fields(text: bytes | str) -> dict[str, str]:
    try:
        return dict(parse_qsl((text.decode() if isinstance(text, bytes) else text).lstrip("?")))
    except (UnicodeDecodeError, ValueError) as error:
        raise BadCallback(f"unreadable form: {error}") from error
