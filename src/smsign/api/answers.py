"""How added calls answer and what they take as JSON: ETags on reads, bodies that are one object."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from smsign.errors import ApiError, Code, Problem, Text
from smsign.http.wire import JSON, Request, Response, encode

OBJECT_BYTES = 64 * 1024
_VARY = (b"vary", b"authorization, accept-language")
_PRIVATE = (b"cache-control", b"private, no-cache")


def tagged(request: Request, answer: object) -> Response:
    """Return `answer` as JSON with its ETag, or 304 if the client has it already (RFC 9110, 13.1.2)."""
    body = encode(answer)
    tag = hashlib.sha256(body).hexdigest()[:32]
    if is_known(request, tag):
        return Response(304, b"", not_modified(tag))
    return Response(200, body, (JSON, *not_modified(tag)))


def not_modified(tag: str) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers that a 200 and a 304 share."""
    return ((b"etag", f'"{tag}"'.encode()), _PRIVATE, _VARY)


def is_known(request: Request, tag: str) -> bool:
    """Say whether If-None-Match names `tag`; one that a proxy has weakened counts."""
    known = request.header(b"if-none-match")
    if not known:
        return False
    return known.strip() == "*" or f'"{tag}"' in (one.strip().removeprefix("W/") for one in known.split(","))


async def read_object(request: Request, *, timeout_s: float, optional: bool = False) -> dict[str, Any]:
    """Return a body that is a JSON object; with `optional`, an empty body is an empty one.

    Raises: Refusal 50003 for an empty body, 50017 for another media type, 50007 for what is no object.
    """
    body = b"".join([chunk async for chunk in request.body(at_most=OBJECT_BYTES, timeout_s=timeout_s)])
    if not body and optional:
        return {}
    if not body:
        raise _refusal(Code.MISSING_BODY, "body", "empty", "为空")
    kind = request.header(b"content-type").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise _refusal(
            Code.MEDIA_NOT_SUPPORTED,
            "Content-Type",
            f"{kind[:80] or 'missing'}, not application/json",
            "不是 application/json",
        )
    try:
        told = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise _refusal(Code.INVALID_BODY, "body", "not valid JSON", "不是有效的 JSON") from None
    if not isinstance(told, dict):
        raise _refusal(Code.INVALID_BODY, "body", "not a JSON object", "不是 JSON 对象")
    return told


def _refusal(code: Code, field: str, en: str, zh: str) -> ApiError:
    hint = Text("send a JSON object as application/json", "请以 application/json 发送 JSON 对象")
    return ApiError(code, [Problem(field, Text(en, zh), hint, code)])
