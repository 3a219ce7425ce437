"""The ASGI application: what happens around every request, whichever area answers it.

Around every request: an id, the client's address and language, the log line, the figures. What a path
means is the business of the areas: the wire's is `http`, the pages' is `console`.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import msgspec

from smsign.http import metrics
from smsign.http.service import Service, client_address
from smsign.http.timeouts import BodyTimeouts
from smsign.http.wire import Receive, Request, Response, Scope, Send, language

PATH_LOGGED = 300
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Area(msgspec.Struct, frozen=True):
    """All paths that begin with `prefix`.

    What `handle` raises is logged as an unhandled exception, and answered by `handle_exception`.
    """

    prefix: str
    handle: Callable[[Service, Request], Awaitable[Response]]
    handle_exception: Callable[[Request], Response]


class Server:
    """Answers requests with one service, opened at startup and closed after the last answer.

    `close_service` is told how many seconds are left of the time for a stop.
    """

    def __init__(
        self,
        areas: Sequence[Area],
        open_service: Callable[[], Awaitable[Service]],
        close_service: Callable[[Service, float], Awaitable[None]],
        started: Callable[[], None],
    ) -> None:
        self._areas = areas
        self._open = open_service
        self._close = close_service
        self._started = started
        self._service: Service | None = None
        self._running = 0
        self._timeouts = BodyTimeouts()
        self._prefix = f"{os.getpid():x}-{secrets.token_hex(4)}-"
        self._counter = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope: a request, or the server's whole lifespan."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            self._running += 1
            try:
                await self._serve(Request(scope, receive, self._timeouts), send)
            finally:
                self._running -= 1

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self._service = await self._open()
        except Exception as error:  # told to the server, which gives up
            await send({"type": "lifespan.startup.failed", "message": f"{error}"})
            return
        await send({"type": "lifespan.startup.complete"})
        self._started()
        await receive()
        self._service.stopping = True
        deadline = time.monotonic() + self._service.settings.stop_timeout
        while self._running and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await self._close(self._service, deadline - time.monotonic())
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, request: Request, send: Send) -> None:
        started = time.perf_counter()
        service = self._service
        assert service is not None, "no request comes before startup is complete"
        self._identify(request, service)
        for area in self._areas:  # the last one takes every path
            if request.path.startswith(area.prefix):
                break
        try:
            response = await area.handle(service, request)
        except Exception as error:  # whatever it is, it is answered, and told to the operator
            service.log.error(
                "unforeseen", error, request_id=request.id, method=request.method, path=request.path
            )
            response = area.handle_exception(request)
        body = response.body if request.method != "HEAD" else b""
        seconds = time.perf_counter() - started
        metrics.observe(request.route, request.method, response.status, response.code, seconds)
        service.log.request(
            request.id,
            request.method,
            (request.path_logged or request.path)[:PATH_LOGGED],
            response.status,
            response.code,
            round(seconds * 1000, 3),
            len(body),
            request.address,
            request.app_id,
        )
        headers = [*response.headers, (b"x-request-id", request.id.encode())]
        if request.waits:  # a body may follow now or not, which is the sender's choice
            headers.append((b"connection", b"close"))
        if response.stream is not None:
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            await _stream(response.stream, request, send)
            return
        if response.status != 304:  # its length would be that of the 200 (RFC 9110, 8.6)
            headers.insert(-1, (b"content-length", b"%d" % len(response.body)))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        if request.has_body and not request.done:
            await request.drain()

    def _identify(self, request: Request, service: Service) -> None:
        given = request.header(b"x-request-id")
        if given and _REQUEST_ID.fullmatch(given):
            request.id = given
        else:
            self._counter += 1
            request.id = f"{self._prefix}{self._counter:x}"
        if forwarded := request.header(b"x-forwarded-for"):
            request.address = client_address(request.address, forwarded, service.trusted)
        if accepted := request.header(b"accept-language"):
            request.language = language(accepted, service.settings.language)
        else:
            request.language = service.settings.language


async def _stream(chunks: AsyncIterator[bytes], request: Request, send: Send) -> None:
    """Send `chunks` until they end or the reader is gone; an empty chunk is a chance to notice that."""
    gone = asyncio.ensure_future(_gone(request))
    try:
        async for chunk in chunks:
            if gone.done():
                break
            if chunk:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        else:
            await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
