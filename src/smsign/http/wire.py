"""ASGI requests and responses, and lenient reading of the headers that published clients send.

Each leniency names the client that needs it; those for bodies are in `multipart.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import msgspec

from smsign.domain.signatures import ID_MAX
from smsign.errors import ApiError, Code, Problem, Text
from smsign.http.timeouts import BodyTimeouts
from smsign.parsing import parse_int

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = (b"content-type", b"application/json")
HEADERS_MAX_BYTES = 64 * 1024
BODY_RATE = 1024
"""The lowest average speed of an upload, in bytes a second."""
CHUNK_BYTES = 64 * 1024
"""The largest chunk that a handler gets: the server's may have a megabyte, times 64 uploads at once."""
DRAIN_S = 3.0
DRAIN_BYTES = 64 * 1024 * 1024

SEND_LESS = Text("send less", "请减小提交的内容")

_SLASHES = re.compile(r"/{2,}(?=.)")
_MEDIA_TYPES = re.compile(r",\s*(?=[\w.+-]+/[\w.+-]+)")
"""The comma between two values of Content-Type. One within a boundary has no media type behind it."""

encode = msgspec.json.Encoder().encode


class Response(msgspec.Struct):
    """A response. `code` is the contract's return code, for the log; Content-Length is added on sending."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = (JSON,)
    code: int = int(Code.SUCCESS)
    stream: AsyncIterator[bytes] | None = None
    """A body of unknown length in place of `body`, sent until it ends or the client disconnects."""


class Request:
    """A request whose body has not been read yet."""

    id = ""
    language = "en"
    route = "unknown"
    app_id: int | None = None
    path_logged = ""
    """What the access log has in place of a path that contains a secret."""
    done = False
    """True once the whole body has been received."""
    _received = 0

    def __init__(self, scope: Scope, receive: Receive, timeouts: BodyTimeouts) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        if "//" in self.path:  # a base URL with a slash at its end, and a path with one at its beginning
            self.path = _SLASHES.sub("/", self.path)
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        if len(self.headers) < len(scope["headers"]):
            self.headers = _join(scope["headers"])
        self.address: str = scope["client"][0] if scope.get("client") else ""
        self.receive = receive
        self._timeouts = timeouts
        self._scope = scope

    @property
    def query(self) -> str:
        """Return the query string, still percent-encoded."""
        return str(self._scope.get("query_string", b""), "latin-1")

    def header(self, name: bytes) -> str:
        """Return a header, or an empty text; repeated ones are joined by commas (RFC 9110, 5.3)."""
        value = self.headers.get(name)
        return value.decode("latin-1") if value else ""

    @property
    def content_length(self) -> int | None:
        """Return Content-Length in bytes, or None."""
        return parse_int(self.header(b"content-length"))

    @property
    def has_body(self) -> bool:
        """Return whether the headers announce a body (RFC 9112, 6.3)."""
        return self.headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in self.headers

    @property
    def expects_continue(self) -> bool:
        """Return whether the client still waits for 100 Continue, as curl does (RFC 9110, 10.1.1)."""
        return not self._received and not self.done and b"expect" in self.headers and self.has_body

    async def body(self, *, at_most: int, timeout_s: float, hint: Text = SEND_LESS) -> AsyncIterator[bytes]:
        """Yield the body in chunks; `hint` is the hint of the error for a body that is too large.

        Raises: ApiError 50007 when it is larger than `at_most` bytes, when nothing arrives for `timeout_s`
        seconds, when it arrives slower than BODY_RATE, or when the client disconnects.
        """
        if (encoding := self.header(b"content-encoding").strip().lower()) not in ("", "identity"):
            raise _encoded_body(encoding)
        if (self.content_length or 0) > at_most:
            raise _too_large(at_most, hint)
        started = time.monotonic()
        while not self.done:
            left_s = started + timeout_s + self._received / BODY_RATE - time.monotonic()
            try:
                message = await self._timeouts.wait(self.receive(), min(left_s, timeout_s))
            except TimeoutError:
                raise ApiError.of(
                    Code.INVALID_BODY,
                    "body",
                    "arrives too slowly",
                    "上传过慢",
                    f"send at least {BODY_RATE} bytes a second",
                    f"上传速度应不低于每秒 {BODY_RATE} 字节",
                ) from None
            if message["type"] == "http.disconnect":
                self.done = True
                raise ApiError.of(
                    Code.INVALID_BODY,
                    "body",
                    "ends before it is complete",
                    "请求体不完整",
                    "send it again",
                    "请重新发送",
                )
            chunk: bytes = message.get("body", b"")
            self._received += len(chunk)
            self.done = not message.get("more_body", False)
            if self._received > at_most:
                raise _too_large(at_most, hint)
            for start in range(0, len(chunk), CHUNK_BYTES):
                yield chunk[start : start + CHUNK_BYTES]

    async def drain(self) -> None:
        """Read and drop the rest of the body after an early response, within limits.

        A socket that is closed with unread bytes is reset, and the client would lose the response.
        """
        left = DRAIN_BYTES
        with contextlib.suppress(Exception):  # a timeout or a disconnect: the response is sent already
            async with asyncio.timeout(DRAIN_S):
                while not self.done and left > 0:
                    message = await self.receive()
                    left -= len(message.get("body", b""))
                    self.done = not message.get("more_body", False)


def _join(lines: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    joined: dict[bytes, bytes] = {}
    for name, value in lines:
        joined[name] = joined[name] + b", " + value if name in joined else value
    return joined


def boundary(content_type: str) -> bytes:
    """Return the boundary in a multipart/form-data Content-Type.

    Lenient for `multipart/form-data ; boundary=========7d4a6d158c9` (a published Java client: the space,
    and a boundary that begins with `=`), `multipart/form-data;; boundary=…` (the contract's own curl
    line), and quoted boundaries (several clients).

    Of a header that was sent twice, or joined by a comma (Node's fetch with a copied header), the last value
    with a boundary counts.

    Raises: ApiError 50017 for another media type, 50007 without a boundary.
    """
    values = _MEDIA_TYPES.split(content_type)
    forms = [value for value in values if value.partition(";")[0].strip().lower() == "multipart/form-data"]
    if not forms:
        raise ApiError.of(
            Code.MEDIA_NOT_SUPPORTED,
            "Content-Type",
            f"{content_type.partition(';')[0].strip()[:80] or 'missing'}, not multipart/form-data",
            "不是 multipart/form-data",
            "send the form as multipart/form-data",
            "请以 multipart/form-data 提交表单",
        )
    for value in reversed(forms):
        if found := _boundary(value):
            return found
    twice = len(values) > 1
    raise ApiError.of(
        Code.INVALID_BODY,
        "Content-Type",
        "sent twice, and neither has a boundary" if twice else "no boundary of 1 to 200 characters",
        "重复发送，且均无有效的 boundary" if twice else "缺少有效的 boundary",
        "let the HTTP library set Content-Type",
        "请由 HTTP 库生成 Content-Type",
    )


def _boundary(content_type: str) -> bytes:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name.strip().lower() == "boundary":
            value = value.strip()
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = value[1:-1]
            if 0 < len(value) <= 200:
                return value.encode("latin-1")
    return b""


def sign_id(text: str) -> int | None:
    """Return the id in a path, or None unless it is a positive 32-bit integer without leading zeros."""
    return parse_int(text, 1, ID_MAX) if text[:1] != "0" else None


def language(accepted: str, default: str) -> str:
    """Negotiate the language: "zh" or "en" by Accept-Language, or else `default` (RFC 9110, 12.5.4)."""
    weighted = []
    for part in accepted.split(",")[:20]:
        tag, _, parameter = part.strip().lower().partition(";")
        try:
            weight = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if weight > 0:
            weighted.append((-weight, tag.strip()[:2]))
    ordered = sorted(weighted, key=lambda pair: pair[0])
    return next((tag for _, tag in ordered if tag in ("zh", "en")), default)


def _too_large(at_most: int, hint: Text) -> ApiError:
    reason = Text(f"larger than {at_most:,} bytes", f"超过 {at_most:,} 字节")
    return ApiError(Code.INVALID_BODY, [Problem("body", reason, hint, Code.INVALID_BODY)])


def _encoded_body(encoding: str) -> ApiError:
    return ApiError.of(
        Code.MEDIA_NOT_SUPPORTED,
        "Content-Encoding",
        f"{encoding[:40]} is not supported",
        f"不支持 {encoding[:40]}",
        "send the body without compression",
        "请发送未压缩的请求体",
    )
