"""ETags on reads, and conditional requests (RFC 9110, 13.1.2)."""

from __future__ import annotations

import hashlib

from smsign.http.wire import JSON, Request, Response, encode

_VARY = (b"vary", b"authorization, accept-language")
_PRIVATE = (b"cache-control", b"private, no-cache")


def tagged(request: Request, payload: object) -> Response:
    """Return `payload` as JSON with its ETag, or 304 Not Modified if If-None-Match has that ETag."""
    body = encode(payload)
    tag = hashlib.sha256(body).hexdigest()[:32]
    if is_known(request, tag):
        return Response(304, b"", not_modified(tag))
    return Response(200, body, (JSON, *not_modified(tag)))


def not_modified(tag: str) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers of a 304, which the 200 has too."""
    return ((b"etag", f'"{tag}"'.encode()), _PRIVATE, _VARY)


def is_known(request: Request, tag: str) -> bool:
    """Return whether If-None-Match has `tag`, weak (as some reverse proxies make it) or strong."""
    known = request.header(b"if-none-match")
    if not known:
        return False
    return known.strip() == "*" or f'"{tag}"' in (one.strip().removeprefix("W/") for one in known.split(","))
