"""Callbacks (webhooks): their URLs, when a failed delivery is retried, and when a callback is paused.

`formats/` defines the requests, one file per format; the worker sends them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from smsign.domain.events import Event, Kind
from smsign.domain.signatures import Status
from smsign.errors import ApiError, Code, Problem

CALLBACKS_MAX = 10
"""Callbacks of one application."""
URL_CHARACTERS = 2000
RESPONSE_BYTES = 4096
"""How much of a response body is read and stored."""
OVERLAP_S = 86_400
OVERLAP_MAX_S = 30 * 86_400
HTTP_GONE = 410
STANDARD = "standard"
ACTIVE, PAUSED = "active", "paused"
BY_HAND, FAILING, GONE = "by_hand", "failing", "gone"
DELIVERED, FAILED = "delivered", "failed"


class Callback(msgspec.Struct, frozen=True):
    """A row of `callback`. Times are UTC microseconds."""

    id: int
    app_id: int
    url: str
    format: str
    decisions_only: int
    secret_sealed: bytes | None
    old_secret_sealed: bytes | None
    old_secret_until: int | None
    state: str
    why: str
    failures: int
    failing_since: int | None
    created_at: int


class Delivery(msgspec.Struct, frozen=True):
    """A row of `delivery`: one attempt, with its request and response."""

    id: int
    callback_id: int
    event_id: int
    signature_id: int
    seq: int
    kind: str
    attempt: int
    state: str
    at: int
    ms: int
    url: str
    headers: str
    body: str
    status: int | None
    answer: str
    error: str


class OutgoingRequest(msgspec.Struct, frozen=True):
    """A request to a callback."""

    method: str
    url: str
    headers: dict[str, str] = {}
    body: str = ""


class Response(msgspec.Struct, frozen=True):
    """The response of a callback: a status and up to RESPONSE_BYTES of its body, or an error."""

    status: int | None
    text: str = ""
    error: str = ""
    ms: int = 0
    retry_after_s: float = 0.0
    """The Retry-After of a 429 or 503."""

    @property
    def is_success(self) -> bool:
        """Return whether the receiver accepted the delivery: any 2xx."""
        return self.status is not None and 200 <= self.status < 300


class Sender(Protocol):
    """An HTTP client with timeouts and SSRF protection. Neither method raises."""

    async def check(self, url: str) -> str:
        """Return why requests to `url` are not allowed, or an empty text."""

    async def send(self, request: OutgoingRequest) -> Response:
        """Send a request; return its response."""


class EventPayload(msgspec.Struct, frozen=True):
    """The payload of an event; `at` is RFC 3339, `reasons` are coded reasons with their texts."""

    event_id: int
    kind: str
    at: str
    seq: int
    sign_id: int
    sign: str
    status: int
    version: int
    refuse_reason: str | None = None
    reasons: Sequence[Mapping[str, str]] = ()


class Keys(msgspec.Struct, frozen=True):
    """The keys that sign a request; `secrets` has two during the overlap of a rotation, newest first."""

    app_key: str
    secrets: tuple[str, ...]


class CallbackFormat(Protocol):
    """A wire format of callbacks. To add one, add a file to `formats/` and a line to its registry."""

    name: str
    decisions_only: bool
    """Delivers only `signature.passed` and `signature.refused`."""
    own_secret: bool
    """Signs with a secret per callback; otherwise with the application's masterSecret."""
    echoes: bool
    """A callback must echo a text before it is registered."""
    retry_s: tuple[int, ...]
    """Backoff: seconds from each failed attempt to the next; the last one repeats."""
    jitter: float
    """The fraction by which a backoff is randomly lengthened or shortened."""

    def build(self, payload: EventPayload, *, url: str, keys: Keys, now: int, nonce: str) -> OutgoingRequest:
        """Return the signed request that delivers an event."""


_STATUS_AFTER: dict[str, Status] = {
    Kind.SUBMITTED: Status.IN_AUDIT,
    Kind.RESUBMITTED: Status.IN_AUDIT,
    Kind.REOPENED: Status.IN_AUDIT,
    Kind.PASSED: Status.PASSED,
    Kind.REFUSED: Status.REFUSED,
    Kind.WITHDRAWN: Status.REFUSED,
}


class SignatureSnapshot(msgspec.Struct, frozen=True):
    """The state of a signature right after an event."""

    status: int = int(Status.IN_AUDIT)
    version: int = 1
    content: str = ""


def snapshot_after(history: Sequence[Event]) -> SignatureSnapshot:
    """Return the state of a signature after its events so far.

    A payload describes the state at the time of its event, however late it is delivered.
    """
    snapshot = SignatureSnapshot()
    for event in history:
        data = msgspec.json.decode(event.data)
        status = int(_STATUS_AFTER.get(event.kind, snapshot.status))
        snapshot = SignatureSnapshot(
            status, data.get("version", snapshot.version), data.get("content", snapshot.content)
        )
    return snapshot


def next_attempt_at(
    format: CallbackFormat, response: Response, *, failed: int, now: int, chance: float
) -> int:
    """Return the time of the next attempt after the `failed`-th failure; `chance` is between -1 and 1.

    A longer Retry-After takes precedence over the backoff, up to the longest backoff of the format.
    """
    backoff_s = format.retry_s[min(failed, len(format.retry_s)) - 1] * (1 + format.jitter * chance)
    requested_s = min(response.retry_after_s, max(format.retry_s))
    return now + int(max(backoff_s, requested_s) * 1_000_000)


def pause_reason(format: CallbackFormat, response: Response, *, failed: int, in_a_row: int) -> str:
    """Return why a callback is paused after the `failed`-th failure of an event, or an empty text.

    It is paused after a 410, or when an event has used up its retries and no other delivery succeeded in
    between. An event that fails while others succeed is retried on.
    """
    if response.status == HTTP_GONE:
        return GONE
    attempts = len(format.retry_s) + 1
    return FAILING if failed >= attempts and in_a_row >= attempts else ""


def check_url(url: str) -> list[Problem]:
    """Return the problems of the URL of a callback; SSRF is checked when a request is sent."""
    example = "such as https://example.com/callbacks", "例如 https://example.com/callbacks"
    if not 0 < len(url) <= URL_CHARACTERS:
        length = f"not 1 to {URL_CHARACTERS} characters", f"长度不是 1 至 {URL_CHARACTERS} 个字符"
        return [_wrong_url(*length, *example)]
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return [
            _wrong_url(
                "has characters that a URL cannot have",
                "含有地址中不允许的字符",
                "percent-encode the path, write the host in punycode",
                "路径请用百分号编码，域名用 punycode",
            )
        ]
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return [_wrong_url("is not a URL", "不是有效的地址", *example)]
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return [_wrong_url("is not an http or https URL", "不是 http 或 https 地址", *example)]
    if parts.username is not None or parts.password is not None:
        return [
            _wrong_url(
                "contains a user name or a password",
                "地址中含有用户名或密码",
                "check the signature of the callback instead",
                "请改为校验回调的签名",
            )
        ]
    if "#" in url:
        return [
            _wrong_url("has a fragment", "地址中含有 #", "remove # and what follows", "请去掉 # 及其后内容")
        ]
    return []


def _wrong_url(en: str, zh: str, hint_en: str, hint_zh: str) -> Problem:
    return Problem.of(Code.INVALID_PARAMETER, "url", en, zh, hint_en, hint_zh)


def unknown(field: str) -> ApiError:
    """Return the error 51004; the same for another application's callback or delivery."""
    return ApiError.of(
        Code.UNKNOWN_CALLBACK,
        field,
        "the application has none with this id",
        "该应用没有此 ID 的回调或投递记录",
        "list them with GET /v1/callbacks",
        "请用 GET /v1/callbacks 查看",
    )
