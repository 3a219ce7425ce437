"""The paths of the API and of the operator: a flat table, and the contract's order of refusals.

An API route authenticates first; `{id}`, always the first variable of a path, is looked up as the
application's own signature. Other variables are handed on as the texts that they are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from smsign.api import callbacks, errors, in_use, openapi, operations, reference, signatures, signs
from smsign.api.auth import authenticate
from smsign.domain.apps import App
from smsign.domain.signatures import Signature, unknown_id
from smsign.errors import ApiError, Code, MethodNotSupported, Problem, Text
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
    "/v1/signs/{id}/versions/{n}/images/{slot}": {"GET": signs.evidence},
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
    "/healthz": {"GET": operations.healthz},
    "/readyz": {"GET": operations.readyz},
    "/metrics": {"GET": operations.show_metrics},
}
_BY_ID = "/v1/sign/"
_OF_SIGNATURES = frozenset(path for path in API if "{id}" in path)
_PATTERNS = tuple((path, tuple(path.split("/"))) for path in API if "{" in path)


async def answer(service: Service, request: Request) -> Response:
    """Answer a call, or refuse it as the contract says."""
    try:
        return await _route(service, request)
    except ApiError as refusal:
        return errors.answer(refusal, request.language)


def failed(request: Request) -> Response:
    """Answer a call that failed in a way nobody foresaw."""
    return errors.answer(_unforeseen(request.id), request.language)


async def _route(service: Service, request: Request) -> Response:
    path = request.path[:-1] if request.path.endswith("/") and request.path != "/" else request.path
    named = path[len(_BY_ID) :] if path.startswith(_BY_ID) else ""
    pattern, values = ("/v1/sign/{id}", (named,)) if named and "/" not in named else _match(path)
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
    if pattern not in _OF_SIGNATURES:
        app, _ = await _authenticate(service, request, None)
        return await handler(service, request, app, *values)
    app, signature = await _authenticate(service, request, sign_id(values[0]) or 0)
    if signature is None:
        raise unknown_id()
    return await handler(service, request, app, signature, *values[1:])


def _match(path: str) -> tuple[str, tuple[str, ...]]:
    """Return the pattern in the table that a path follows, and its variables; a path itself goes first."""
    if path in API or path in OPEN:
        return path, ()
    segments = path.split("/")
    for pattern, parts in _PATTERNS:
        if len(parts) != len(segments):
            continue
        pairs = tuple(zip(parts, segments, strict=True))
        if all(part == segment or (part[:1] == "{" and segment) for part, segment in pairs):
            return pattern, tuple(segment for part, segment in pairs if part[:1] == "{")
    return path, ()


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


def _known(method: str) -> str:
    """Return the method for the figures: one name for all that nobody has heard of."""
    return method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "OTHER"


def _check_headers(request: Request) -> None:
    if max(map(len, request.headers.values())) <= HEADERS_MAX_BYTES:
        return
    for name, value in request.headers.items():
        if len(value) > HEADERS_MAX_BYTES:
            raise ApiError(
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


def _not_found(path: str) -> ApiError:
    return ApiError(
        Code.API_NOT_FOUND,
        [
            Problem(
                "path",
                Text(f"{path[:200]} is not known", f"未知路径 {path[:200]}"),
                Text("GET /reference has a list of all calls", "全部接口见 GET /reference"),
            )
        ],
    )


def _unforeseen(request_id: str) -> ApiError:
    return ApiError(
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
