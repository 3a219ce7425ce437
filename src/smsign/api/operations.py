"""What an operator, a probe and a lost visitor ask for."""

from __future__ import annotations

import asyncio
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

T = TypeVar("T")

TIMEOUT_S = 5.0
"""For the database or the blob store to answer an operator's question."""
_NO_STORE = (b"cache-control", b"no-store")
PAGE_HEADERS = (
    (b"content-type", b"text/html; charset=utf-8"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
VARY = (b"vary", b"accept-language")
_CSS_HEADERS = (
    (b"content-type", b"text/css; charset=utf-8"),
    (b"cache-control", b"max-age=3600"),
    (b"x-content-type-options", b"nosniff"),
)


async def healthz(service: Service, request: Request) -> Response:
    """`GET /healthz`: the process is alive."""
    return Response(body=encode({"status": "ok", "version": __version__}), headers=(JSON, _NO_STORE))


async def readyz(service: Service, request: Request) -> Response:
    """`GET /readyz`: the database and the blob store answer, asked just now; else 503 with which does not."""
    told = {"database": "ok", "blobs": "ok", "server": "stopping" if service.stopping else "ok"}
    for name, asked in (("database", _ask_database(service)), ("blobs", service.blobs.check())):
        try:
            await _in_time(asked)
        except SmsignError as error:
            told[name] = "failed"
            service.log.warning("not ready", part=name, reason=str(error))
    ready = set(told.values()) == {"ok"}
    return Response(200 if ready else 503, encode(told), (JSON, _NO_STORE), 0)


async def show_metrics(service: Service, request: Request) -> Response:
    """`GET /metrics`: figures for Prometheus; those of the database are NaN while it does not answer."""
    try:
        waiting, outbox_events, oldest_s = await _in_time(_count(service))
    except SmsignError as error:
        waiting = outbox_events = oldest_s = math.nan
        service.log.warning("not counted", reason=str(error))
    return Response(
        body=metrics.render(waiting, outbox=outbox_events, oldest_s=oldest_s),
        headers=((b"content-type", metrics.CONTENT_TYPE), _NO_STORE),
    )


async def home(service: Service, request: Request) -> Response:
    """`GET /`: what this is, and the calls to try."""
    language, chosen = language_of(request)
    template = Template(_read(f"home.{language}.html"))
    page = template.substitute(
        base=escape(service.origin(request)),
        version=__version__,
        least=service.rules.content_min,
        most=service.rules.content_max,
        chosen=chosen,
    )
    return answer_page(page, chosen)


async def stylesheet(service: Service, request: Request) -> Response:
    """`GET /home.css`: how the page at `/` looks."""
    return Response(body=_read("home.css").encode(), headers=_CSS_HEADERS)


def language_of(request: Request) -> tuple[str, str]:
    """Return the language of a page for people, and the query that chose it, or "" if Accept-Language did.

    Links between such pages bear the query, so that the choice stays.
    """
    asked = parse_qs(request.query).get("lang", [""])[-1]
    return (asked, f"?lang={asked}") if asked in ("en", "zh") else (request.language, "")


def answer_page(page: str, chosen: str) -> Response:
    """Answer a page for people; where its address says the language, no header does (RFC 9110, 12.5.5)."""
    return Response(body=page.encode(), headers=PAGE_HEADERS if chosen else (*PAGE_HEADERS, VARY))


async def _in_time(asked: Coroutine[Any, Any, T]) -> T:
    """Return what `asked` does.

    Raises: StorageError after TIMEOUT_S seconds, and whatever `asked` raises.
    """
    task = asyncio.ensure_future(asked)
    # What hangs may hang on when it is cancelled, as a driver that asks a silent server to stop.
    done, _ = await asyncio.wait({task}, timeout=TIMEOUT_S)
    if not done:
        task.cancel()
        task.add_done_callback(_forget)
        raise StorageError("timed out")
    return task.result()


def _forget(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # or the loop complains that nobody looked at it


async def _ask_database(service: Service) -> None:
    await schema_number(service.db.read)


async def _count(service: Service) -> tuple[float, float, float]:
    """Return the signatures in the audit, the events in the outbox, and the seconds since the oldest."""
    waiting = await signatures.count_in_audit(service.db.scan)
    backlog = await outbox.count_all(service.db.scan)
    oldest_s = (service.now() - backlog.oldest_at) / 1e6 if backlog.oldest_at else 0.0
    return waiting, backlog.size, oldest_s


def _read(name: str) -> str:
    return resources.files("smsign.api").joinpath("pages", name).read_text("utf-8")
