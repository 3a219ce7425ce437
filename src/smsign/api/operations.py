"""Health check, readiness and metrics, and the page at `/`."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Coroutine
from html import escape
from importlib import resources
from string import Template
from typing import Any, TypeVar
from urllib.parse import parse_qs

from smsign import __version__
from smsign.errors import SmsignError, StorageError
from smsign.http import metrics
from smsign.http.service import Service
from smsign.http.wire import JSON, Request, Response, encode
from smsign.storage.engine.migrate import schema_number
from smsign.storage.rows import outbox, signatures

log = logging.getLogger(__name__)
T = TypeVar("T")

TIMEOUT_S = 5.0
"""Timeout of the database and the blob store for readiness and metrics."""
_NO_STORE = (b"cache-control", b"no-store")
PAGE_HEADERS = (
    (b"content-type", b"text/html; charset=utf-8"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; script-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
VARY = (b"vary", b"accept-language")
_CSS = (b"content-type", b"text/css; charset=utf-8")
_JAVASCRIPT = (b"content-type", b"text/javascript; charset=utf-8")
_FILE_HEADERS = ((b"cache-control", b"max-age=3600"), (b"x-content-type-options", b"nosniff"))


async def healthz(service: Service, request: Request) -> Response:
    """`GET /healthz`: the process is alive."""
    return Response(body=encode({"status": "ok", "version": __version__}), headers=(JSON, _NO_STORE))


async def readyz(service: Service, request: Request) -> Response:
    """`GET /readyz`: 200 if the database and the blob store respond, 503 if one does not."""
    parts = {"database": "ok", "blobs": "ok", "server": "stopping" if service.stopping else "ok"}
    for name, check in (("database", schema_number(service.db.read)), ("blobs", service.blobs.check())):
        try:
            await _with_timeout(check)
        except SmsignError as error:
            parts[name] = "failed"
            fields = {"part": name, "reason": str(error), "request_id": request.id}
            log.warning("not ready", extra=fields)
    ready = set(parts.values()) == {"ok"}
    return Response(200 if ready else 503, encode(parts), (JSON, _NO_STORE), 0)


async def show_metrics(service: Service, request: Request) -> Response:
    """`GET /metrics`: metrics for Prometheus; those of the database are NaN while it does not respond."""
    try:
        waiting, outbox_events, oldest_s = await _with_timeout(_count(service))
    except SmsignError as error:
        waiting = outbox_events = oldest_s = math.nan
        log.warning("metrics incomplete", extra={"reason": str(error), "request_id": request.id})
    return Response(
        body=metrics.render(waiting, outbox=outbox_events, oldest_s=oldest_s),
        headers=((b"content-type", metrics.CONTENT_TYPE), _NO_STORE),
    )


async def home(service: Service, request: Request) -> Response:
    """`GET /`: what this server is, with examples."""
    language, chosen = language_of(request)
    template = Template(_read(f"home.{language}.html"))
    page = template.substitute(
        base=escape(service.origin(request)),
        version=__version__,
        least=service.rules.content_min,
        most=service.rules.content_max,
        chosen=chosen,
    )
    return page_response(page, chosen)


async def stylesheet(service: Service, request: Request) -> Response:
    """`GET /home.css`: the style sheet of `/` and `/reference`."""
    return Response(body=_read("home.css").encode(), headers=(_CSS, *_FILE_HEADERS))


async def script(service: Service, request: Request) -> Response:
    """`GET /reference.js`: the script of `/reference`."""
    return Response(body=_read("reference.js").encode(), headers=(_JAVASCRIPT, *_FILE_HEADERS))


def language_of(request: Request) -> tuple[str, str]:
    """Return the language of a page, and the query string that chose it, or "" if Accept-Language did.

    Links between such pages keep the query string, and so the language.
    """
    lang = parse_qs(request.query).get("lang", [""])[-1]
    return (lang, f"?lang={lang}") if lang in ("en", "zh") else (request.language, "")


def page_response(page: str, chosen: str) -> Response:
    """Return a page; it varies with Accept-Language unless its URL has the language (RFC 9110, 12.5.5)."""
    return Response(body=page.encode(), headers=PAGE_HEADERS if chosen else (*PAGE_HEADERS, VARY))


async def _with_timeout(check: Coroutine[Any, Any, T]) -> T:
    """Return what `check` returns.

    Raises: StorageError after TIMEOUT_S seconds, and whatever `check` raises.
    """
    # No asyncio.timeout: a driver may hang in its cancellation too, while the database does not respond.
    task = asyncio.ensure_future(check)
    done, _ = await asyncio.wait({task}, timeout=TIMEOUT_S)
    if not done:
        task.cancel()
        task.add_done_callback(_forget)
        raise StorageError("timed out")
    return task.result()


def _forget(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # or asyncio logs that it was never retrieved


async def _count(service: Service) -> tuple[float, float, float]:
    """Return the signatures in the audit, the events in the outbox, and the age of the oldest in seconds."""
    waiting = await signatures.count_in_audit(service.db.scan)
    backlog = await outbox.count_all(service.db.scan)
    oldest_s = (service.now() - backlog.oldest_at) / 1e6 if backlog.oldest_at else 0.0
    return waiting, backlog.size, oldest_s


def _read(name: str) -> str:
    return resources.files("smsign.api").joinpath("pages", name).read_text("utf-8")
