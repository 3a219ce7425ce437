"""Callbacks: where an application's events are told, how often it is tried, and when an endpoint is paused.

How a telling looks on the wire is the business of `forms/`, a file each; who sends it is the worker's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from smsign.domain.events import Event, Kind
from smsign.domain.signatures import Status
from smsign.errors import ApiError, Code, Problem

MOST = 10
"""Endpoints of one application."""
URL_CHARACTERS = 2000
RESPONSE_BYTES = 4096
"""What is kept of an answer; more is never read."""
OVERLAP_S = 86_400
OVERLAP_MAX_S = 30 * 86_400
GONE = 410
STANDARD = "standard"
ACTIVE, PAUSED = "active", "paused"
BY_HAND, FAILING, RETIRED = "by_hand", "failing", "gone"
DELIVERED, FAILED = "delivered", "failed"


class Callback(msgspec.Struct, frozen=True):
    """A row of `callback`: an endpoint. Times are UTC microseconds."""

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
    """A row of `delivery`: one attempt, with what was sent and what came back."""

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
    """A request as it leaves."""

    method: str
    url: str
    headers: dict[str, str] = {}
    body: str = ""


class Response(msgspec.Struct, frozen=True):
    """What came back: a status, or the error that stood in its way; never more than ANSWER_BYTES of it."""

    status: int | None
    text: str = ""
    error: str = ""
    ms: int = 0
    retry_after_s: float = 0.0
    """How long the receiver asks to be left alone for, where it is too busy (429, 503)."""

    @property
    def taken(self) -> bool:
        """Return whether the receiver took it."""
        return self.status is not None and 200 <= self.status < 300


class Sender(Protocol):
    """What talks outward, within bounds. Neither method raises."""

    async def check(self, url: str) -> str:
        """Return why nothing may be sent to `url`, or an empty text."""

    async def send(self, sent: OutgoingRequest) -> Response:
        """Send a request; return what came back."""


class EventPayload(msgspec.Struct, frozen=True):
    """An event as a receiver is told of it; `at` is RFC 3339, `reasons` the coded reasons in words."""

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
    """What a form signs with; `secrets` has two during a rotation's overlap, the newest first."""

    app_key: str
    secrets: tuple[str, ...]


class CallbackFormat(Protocol):
    """One way of telling. A new one is one file in `forms/` and one line in its registry."""

    name: str
    decisions_only: bool
    """Tells of what passed and what was refused, and of nothing else."""
    own_secret: bool
    """Signs with a secret of the endpoint's own; else with the application's masterSecret."""
    echoes: bool
    """An endpoint is asked to echo a text before it is registered."""
    retry_s: tuple[int, ...]
    """Seconds from a failed attempt to the next; after the last, that one again."""
    jitter: float
    """The share of a wait by which it is made longer or shorter by chance."""

    def write(self, payload: EventPayload, *, url: str, keys: Keys, now: int, nonce: str) -> OutgoingRequest:
        """Return the request that tells of an event, signed."""


_STATUS_AFTER: dict[str, Status] = {
    Kind.SUBMITTED: Status.IN_AUDIT,
    Kind.RESUBMITTED: Status.IN_AUDIT,
    Kind.REOPENED: Status.IN_AUDIT,
    Kind.PASSED: Status.PASSED,
    Kind.REFUSED: Status.REFUSED,
    Kind.WITHDRAWN: Status.REFUSED,
}


class SignatureSnapshot(msgspec.Struct, frozen=True):
    """What a signature was right after an event."""

    status: int = int(Status.IN_AUDIT)
    version: int = 1
    content: str = ""


def snapshot_after(history: Sequence[Event]) -> SignatureSnapshot:
    """Return what a signature was after its events so far.

    What a receiver is told is of the moment of the event, however late it is told.
    """
    snapshot = SignatureSnapshot()
    for event in history:
        told = msgspec.json.decode(event.data)
        status = int(_STATUS_AFTER.get(event.kind, snapshot.status))
        snapshot = SignatureSnapshot(
            status, told.get("version", snapshot.version), told.get("content", snapshot.content)
        )
    return snapshot


def next_try_at(form: CallbackFormat, answer: Response, *, failed: int, now: int, chance: float) -> int:
    """Return when to try again after the `failed`-th failure; `chance` is between -1 and 1.

    A receiver that asks to be left alone gets the later of its own time and the form's, but no longer wait
    than the form's longest.
    """
    wait_s = form.retry_s[min(failed, len(form.retry_s)) - 1] * (1 + form.jitter * chance)
    asked_s = min(answer.retry_after_s, max(form.retry_s))
    return now + int(max(wait_s, asked_s) * 1_000_000)


def why_pause(form: CallbackFormat, answer: Response, *, failed: int, in_a_row: int) -> str:
    """Return why an endpoint is paused after the `failed`-th failure of an event, or an empty text.

    It is when it says that it is gone (410), or when an event has used up its retries and the endpoint has
    taken nothing else in between. One event that an endpoint chokes on, while it takes others, is tried on.
    """
    if answer.status == GONE:
        return RETIRED
    used_up = len(form.retry_s) + 1
    return FAILING if failed >= used_up and in_a_row >= used_up else ""


def check_url(url: str) -> list[Problem]:
    """Return what is wrong with the URL of a callback; SSRF is checked when something is sent."""
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
        "该应用没有此编号的回调或投递",
        "list them with GET /v1/callbacks",
        "请用 GET /v1/callbacks 查看",
    )
