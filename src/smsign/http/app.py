"""The ASGI application: a flat table of routes, and what happens around every request.

Around every request: an id, the client's address, the contract's order of refusals, the log line, the
figures. An API route authenticates first; `{id}` is looked up as the application's own.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import time
from collections.abc import Awaitable, Callable

from smsign.domain import apps
from smsign.errors import Code, MethodNotSupported, Problem, Refusal, Text
from smsign.http import errors, metrics, operations, signatures
from smsign.http.auth import authenticate
from smsign.http.service import Service, client_address
from smsign.http.wire import HEADERS_MAX_BYTES, Receive, Request, Response, Scope, Send, language
from smsign.log import RequestLine
from smsign.storage.db import Reader

Handler = Callable[..., Awaitable[Response]]

API: dict[str, dict[str, Handler]] = {
    "/v1/sign": {"POST": signatures.create},
    "/v1/sign/{id}": {
        "GET": signatures.query,
        "PUT": signatures.modify,
        "POST": signatures.modify,
        "DELETE": signatures.delete,
    },
}
OPEN: dict[str, dict[str, Handler]] = {
    "/": {"GET": operations.home},
    "/home.css": {"GET": operations.stylesheet},
    "/healthz": {"GET": operations.healthz},
    "/readyz": {"GET": operations.readyz},
    "/metrics": {"GET": operations.show_metrics},
}
PATH_LOGGED = 300
_BY_ID = "/v1/sign/"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class App:
    """Answers requests with one service, opened at startup and closed after the last answer."""

    def __init__(
        self,
        open_service: Callable[[], Awaitable[Service]],
        close_service: Callable[[Service], Awaitable[None]],
        started: Callable[[], None],
    ) -> None:
        self._open = open_service
        self._close = close_service
        self._started = started
        self._service: Service | None = None
        self._running = 0
        self._prefix = f"{os.getpid():x}-{secrets.token_hex(4)}-"
        self._counter = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope: a request, or the server's whole lifespan."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            self._running += 1
            try:
                await self._serve(Request(scope, receive), send)
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
        await self._close(self._service)
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, request: Request, send: Send) -> None:
        started = time.perf_counter()
        service = self._service
        assert service is not None, "no request comes before startup is complete"
        self._identify(request, service)
        try:
            response = await _route(service, request)
        except Refusal as refusal:
            response = errors.answer(refusal, request.language)
        except Exception as error:  # whatever it is, it is answered, and told to the operator
            service.log.error(
                "unforeseen", error, request_id=request.id, method=request.method, path=request.path
            )
            response = errors.answer(_unforeseen(request.id), request.language)
        body = response.body if request.method != "HEAD" else b""
        seconds = time.perf_counter() - started
        metrics.observe(request.route, request.method, response.status, response.code, seconds)
        service.log.request(
            RequestLine(
                request.id,
                request.method,
                request.path[:PATH_LOGGED],
                response.status,
                response.code,
                round(seconds * 1000, 3),
                len(body),
                request.address,
                request.app_id,
            )
        )
        headers = [
            *response.headers,
            (b"content-length", b"%d" % len(response.body)),
            (b"x-request-id", request.id.encode()),
        ]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        if response.status >= 300 and not request.done:
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


async def _route(service: Service, request: Request) -> Response:
    path = request.path[:-1] if request.path.endswith("/") and request.path != "/" else request.path
    named = path[len(_BY_ID) :] if path.startswith(_BY_ID) else ""
    pattern = "/v1/sign/{id}" if named and "/" not in named else path
    methods = API.get(pattern)
    is_api = methods is not None
    if methods is None:
        methods = OPEN.get(pattern)
    if methods is None:
        request.method = _known(request.method)
        raise _not_found(request.path)
    request.route = pattern
    handler = methods.get(request.method)
    if handler is None:
        if request.method == "HEAD" and not is_api:
            handler = methods["GET"]
        else:
            request.method, method = _known(request.method), request.method
            raise MethodNotSupported(method[:20], tuple(methods))
    if not is_api:
        return await handler(service, request)
    if not named:
        return await handler(service, request, await _authenticate(service, request, service.db.read))
    async with service.db.snapshot() as read:
        app = await _authenticate(service, request, read)
        signature = await signatures.find(read, app, named)
    return await handler(service, request, app, signature)


async def _authenticate(service: Service, request: Request, read: Reader) -> apps.App:
    app = await authenticate(
        read,
        service.vault,
        service.throttle,
        header=request.header(b"authorization"),
        address=request.address,
        now=service.now(),
    )
    request.app_id = app.id
    _check_headers(request)
    return app


def _known(method: str) -> str:
    """Return the method for the figures: one name for all that nobody has heard of."""
    return method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "OTHER"


def _check_headers(request: Request) -> None:
    if max(map(len, request.headers.values())) <= HEADERS_MAX_BYTES:
        return
    for name, value in request.headers.items():
        if len(value) > HEADERS_MAX_BYTES:
            raise Refusal(
                Code.INVALID_BODY,
                [
                    Problem(
                        name.decode("latin-1"),
                        Text(
                            f"{len(value):,} bytes, at most {HEADERS_MAX_BYTES:,}",
                            f"共 {len(value):,} 字节，最多 {HEADERS_MAX_BYTES:,}",
                        ),
                        Text("shorten this header, or leave it out", "请缩短或省略此请求头"),
                    )
                ],
            )


def _not_found(path: str) -> Refusal:
    return Refusal(
        Code.API_NOT_FOUND,
        [
            Problem(
                "path",
                Text(f"{path[:200]} is not known", f"未知路径 {path[:200]}"),
                Text("the calls are /v1/sign and /v1/sign/{id}", "可用路径：/v1/sign 与 /v1/sign/{id}"),
            )
        ],
    )


def _unforeseen(request_id: str) -> Refusal:
    return Refusal(
        Code.SERVER_ERROR,
        [
            Problem(
                "request",
                Text(f"failed, under the request id {request_id}", f"处理失败，请求编号 {request_id}"),
                Text(
                    "send it again; if it fails again, give the id to the operator",
                    "请重试；若仍失败，请将编号告知运营方",
                ),
            )
        ],
    )
