"""ETags on reads, and conditional requests (RFC 9110, 13.1.2)."""

from __future__ import annotations

import hashlib

from smsign.http.wire import JSON, Request, Response, encode

_VARY = (b"vary", b"authorization, accept-language")
_PRIVATE = (b"cache-control", b"private, no-cache")


def tagged(request: Request, payload: object) -> Response:
    """Return `payload` as JSON with its ETag, or 304 if the client has it already (RFC 9110, 13.1.2)."""
    body = encode(payload)
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
