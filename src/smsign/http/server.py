"""The ASGI application: the middleware of every request, lifespan and graceful shutdown.

The middleware sets the request id, the client's address (behind trusted proxies) and the language (content
negotiation), writes the access log and counts metrics. The paths belong to the mounts, `api` and `console`.
"""

from __future__ import annotations

import asyncio
import logging
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

log = logging.getLogger(__name__)

PATH_LOGGED = 300
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Mount(msgspec.Struct, frozen=True):
    """An application for all paths that begin with `prefix`.

    An exception that `handle` raises is logged, and `handle_exception` makes the response.
    """

    prefix: str
    handle: Callable[[Service, Request], Awaitable[Response]]
    handle_exception: Callable[[Request], Response]


class Server:
    """Serves requests with one service, which is opened at startup and closed after the last response.

    `close_service` gets the seconds that are left for the graceful shutdown.
    """

    def __init__(
        self,
        mounts: Sequence[Mount],
        open_service: Callable[[], Awaitable[Service]],
        close_service: Callable[[Service, float], Awaitable[None]],
        started: Callable[[], None],
    ) -> None:
        self._mounts = mounts
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
        except Exception as error:  # the ASGI server logs it and exits
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
        assert service is not None, "requests are served after startup only"
        self._identify(request, service)
        for mount in self._mounts:  # the last one has an empty prefix
            if request.path.startswith(mount.prefix):
                break
        try:
            response = await mount.handle(service, request)
        except Exception:
            fields = {"request_id": request.id, "method": request.method, "path": request.path}
            log.exception("unhandled exception", extra=fields)
            response = mount.handle_exception(request)
        body = response.body if request.method != "HEAD" else b""
        seconds = time.perf_counter() - started
        metrics.observe(request.route, request.method, response.status, response.code, seconds)
        service.log.access(
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
        if request.expects_continue:  # the client may send its body or not, so no request can follow
            headers.append((b"connection", b"close"))
        if response.stream is not None:
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            await _stream(response.stream, request, send)
            return
        if response.status != 304:  # Content-Length would be that of the 200 (RFC 9110, 8.6)
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
    """Send `chunks` until they end or the client disconnects, which an empty chunk lets this check."""
    disconnected = asyncio.ensure_future(_disconnect(request))
    try:
        async for chunk in chunks:
            if disconnected.done():
                break
            if chunk:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        else:
            await send({"type": "http.response.body", "body": b""})
    finally:
        disconnected.cancel()


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
