"""The routes of the API and of health checks, metrics and pages; dispatch in the contract's order of errors.

An API route authenticates first. `{id}`, always the first name in a path, becomes a signature of the
application; the handler gets the other segments as text.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from smsign.api import callbacks, in_use, openapi, operations, reference, signatures, signs
from smsign.api.auth import authenticate
from smsign.api.errors import error_response
from smsign.domain.apps import App
from smsign.domain.signatures import Signature, unknown_id
from smsign.errors import ApiError, Code
from smsign.http.router import Router, known_method
from smsign.http.service import Service
from smsign.http.wire import HEADERS_MAX_BYTES, Request, Response, sign_id

Handler = Callable[..., Awaitable[Response]]

API: dict[str, dict[str, Handler]] = {
    "/v1/sign": {"POST": signatures.create},
    "/v1/sign/{id}": {
        "GET": signatures.query,
        "PUT": signatures.modify,
        "POST": signatures.modify,
        "DELETE": signatures.delete,
    },
    "/v1/signs": {"GET": signs.list_},
    "/v1/signs/check": {"POST": signs.check},
    "/v1/signs/in-use": {"GET": in_use.show, "PUT": in_use.switch, "DELETE": in_use.stop},
    "/v1/signs/{id}": {"GET": signs.show},
    "/v1/signs/{id}/withdraw": {"POST": signs.withdraw},
    "/v1/signs/{id}/versions/{n}/images/{slot}": {"GET": signs.show_image},
    "/v1/app": {"GET": in_use.show_app},
    "/v1/callbacks": {"GET": callbacks.list_, "POST": callbacks.create},
    "/v1/callbacks/{callback}": {"GET": callbacks.show, "DELETE": callbacks.delete},
    "/v1/callbacks/{callback}/rotate": {"POST": callbacks.rotate},
    "/v1/callbacks/{callback}/resume": {"POST": callbacks.resume},
    "/v1/callbacks/{callback}/replay": {"POST": callbacks.replay},
    "/v1/callbacks/{callback}/deliveries": {"GET": callbacks.list_deliveries},
    "/v1/callbacks/{callback}/deliveries/{delivery}": {"GET": callbacks.show_delivery},
    "/v1/callbacks/{callback}/deliveries/{delivery}/resend": {"POST": callbacks.resend},
}
OPEN: dict[str, dict[str, Handler]] = {
    "/": {"GET": operations.home},
    "/home.css": {"GET": operations.stylesheet},
    "/openapi.json": {"GET": openapi.show},
    "/reference": {"GET": reference.show},
    "/reference.js": {"GET": operations.script},
    "/healthz": {"GET": operations.healthz},
    "/readyz": {"GET": operations.readyz},
    "/metrics": {"GET": operations.show_metrics},
}
_ROUTER = Router({**API, **OPEN})
_WITH_SIGNATURE = frozenset(path for path in API if "{id}" in path)


async def handle(service: Service, request: Request) -> Response:
    """Return the response to a request, also for an ApiError."""
    try:
        return await _dispatch(service, request)
    except ApiError as error:
        return error_response(error, request.language)


def handle_exception(request: Request) -> Response:
    """Return the response to a request whose handler raised an unhandled exception."""
    return error_response(_server_error(request.id), request.language)


async def _dispatch(service: Service, request: Request) -> Response:
    path = request.path[:-1] if request.path.endswith("/") and request.path != "/" else request.path
    found = _ROUTER.find(path)
    if found is None:
        request.method = known_method(request.method)
        raise _not_found(request.path)
    pattern, methods, values = found
    request.route = pattern
    is_api = pattern in API
    handler = methods.get(request.method)
    if handler is None and request.method == "HEAD" and not is_api:
        handler = methods["GET"]
    if handler is None:
        request.method, method = known_method(request.method), request.method
        raise _method_not_supported(method[:20], methods)
    if not is_api:
        return await handler(service, request)
    if pattern not in _WITH_SIGNATURE:
        app, _ = await _authenticate(service, request, None)
        return await handler(service, request, app, *values)
    app, signature = await _authenticate(service, request, sign_id(values[0]) or 0)
    if signature is None:
        raise unknown_id()
    return await handler(service, request, app, signature, *values[1:])


async def _authenticate(
    service: Service, request: Request, signature_id: int | None
) -> tuple[App, Signature | None]:
    found = await authenticate(
        service.db.read,
        service.vault,
        service.throttle,
        header=request.header(b"authorization"),
        address=request.address,
        now=service.now(),
        signature_id=signature_id,
    )
    request.app_id = found[0].id
    _check_headers(request)
    return found


def _check_headers(request: Request) -> None:
    if max(map(len, request.headers.values())) <= HEADERS_MAX_BYTES:
        return
    for name, value in request.headers.items():
        if len(value) > HEADERS_MAX_BYTES:
            raise ApiError.of(
                Code.INVALID_BODY,
                name.decode("latin-1"),
                f"{len(value):,} bytes, at most {HEADERS_MAX_BYTES:,}",
                f"共 {len(value):,} 字节，最多 {HEADERS_MAX_BYTES:,}",
                "shorten this header, or leave it out",
                "请缩短或省略此请求头",
            )


def _not_found(path: str) -> ApiError:
    return ApiError.of(
        Code.API_NOT_FOUND,
        "path",
        f"unknown path {path[:200]}",
        f"未知路径 {path[:200]}",
        "GET /reference lists all calls",
        "全部接口见 GET /reference",
    )


def _server_error(request_id: str) -> ApiError:
    return ApiError.of(
        Code.SERVER_ERROR,
        "request",
        f"failed, request id {request_id}",
        f"处理失败，请求 ID：{request_id}",
        "send it again; if it still fails, give the request id to the operator",
        "请重试；若仍失败，请将请求 ID 提供给运营方",
    )


def _method_not_supported(method: str, methods: Iterable[str]) -> ApiError:
    allow = ", ".join(methods)
    error = ApiError.of(
        Code.METHOD_NOT_SUPPORTED,
        "method",
        f"{method} is not supported here",
        f"此路径不支持 {method}",
        f"use one of: {allow}",
        f"请使用：{allow}",
    )
    error.allow = allow
    return error
