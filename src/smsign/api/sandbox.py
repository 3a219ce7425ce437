"""The calls that exist only under `smsign serve --test`, and the injection of faults into all other calls.

They need no authentication, and are not part of the OpenAPI document.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from smsign.actions import apps, demo, sandbox
from smsign.api import routes
from smsign.api.auth import decode
from smsign.api.errors import STATUS, error_response
from smsign.api.parameters import Parameters, no_parameters
from smsign.domain.sandbox import DELAY_MS_MAX, Fault
from smsign.errors import ApiError, Code, InvalidInput
from smsign.http.service import Service
from smsign.http.wire import Request, Response, encode

LATENCY_MS_MAX = 60_000
COUNT_MAX = 1_000_000


async def handle(service: Service, request: Request) -> Response:
    """Return the response of a call of the emulator, or of any other call, with the faults for it."""
    call = _CALLS.get((request.method, request.path))
    if call is None:
        return await _with_fault(service, request)
    request.route = request.path
    try:
        return await call(service, request)
    except ApiError as error:
        return error_response(error, request.language)


async def reset(service: Service, request: Request) -> Response:
    """`POST /test/reset`: as after the start."""
    no_parameters(request)
    await sandbox.reset(service.db, app_key=demo.KEYS.app_key)
    return Response()


async def create_app(service: Service, request: Request) -> Response:
    """`POST /test/apps`: `{"name"?, "delay_ms"?}`; a new application."""
    body = await Parameters.of_body(request, timeout_s=service.settings.body_timeout, optional=True)
    keys = apps.make_keys()
    name = body.text("name", 64) or f"test-{keys.app_key[:12]}"
    delay_ms = body.integer("delay_ms", 0, DELAY_MS_MAX)
    body.finish()
    try:
        await apps.create(
            service.db,
            service.vault,
            name=name,
            keys=keys,
            use_by_hand=False,
            test_delay_ms=delay_ms,
            actor=demo.ACTOR,
            now=service.now(),
        )
    except InvalidInput as error:
        body.invalid("name", error.text.en, error.text.zh, "use another name", "请换一个名称")
        body.finish()
    return Response(body=encode({"app_key": keys.app_key, "master_secret": keys.master_secret}))


async def add_fault(service: Service, request: Request) -> Response:
    """`POST /test/faults`: `{"app_key"?, "status"?, "retry_after_s"?, "latency_ms"?, "cut"?, "count"?}`."""
    body = await Parameters.of_body(request, timeout_s=service.settings.body_timeout)
    fault = Fault(
        app_key=body.text("app_key", 100),
        status=body.integer("status", 400, 599),
        retry_after_s=body.integer("retry_after_s", 0, 86_400),
        latency_ms=body.integer("latency_ms", 0, LATENCY_MS_MAX) or 0,
        cut=body.boolean("cut") or False,
        count=body.integer("count", 1, COUNT_MAX) or 1,
    )
    has_effect = fault.retry_after_s is None and (fault.latency_ms or fault.cut)
    if fault.status is None and not has_effect and not body.problems:
        hint = "send it, latency_ms or cut; retry_after_s requires it"
        hint_zh = "请提交 status、latency_ms 或 cut；retry_after_s 须与 status 一起提交"
        body.invalid("status", "missing", "缺失", hint, hint_zh)
    body.finish()
    await sandbox.add_fault(service.db, fault)
    return Response()


async def delete_faults(service: Service, request: Request) -> Response:
    """`DELETE /test/faults`."""
    no_parameters(request)
    await sandbox.clear_faults(service.db)
    return Response()


_CALLS = {
    ("POST", "/test/reset"): reset,
    ("POST", "/test/apps"): create_app,
    ("POST", "/test/faults"): add_fault,
    ("DELETE", "/test/faults"): delete_faults,
}


async def _with_fault(service: Service, request: Request) -> Response:
    fault = None
    if request.path.startswith("/v1/"):
        fault = await sandbox.take_fault(service.db, _app_key(request))
    if fault is None:
        return await routes.handle(service, request)
    await asyncio.sleep(fault.latency_ms / 1000)
    if fault.status is None:
        response = await routes.handle(service, request)
    else:
        response = _error(fault, fault.status, request.language)
    return _cut(response) if fault.cut else response


def _app_key(request: Request) -> str:
    try:
        return decode(request.header(b"authorization"))[0]
    except ApiError:
        return ""


def _error(fault: Fault, status: int, language: str) -> Response:
    code = next((code for code, known in STATUS.items() if known == status), Code.SERVER_ERROR)
    error = ApiError.of(
        code,
        "request",
        "a fault of POST /test/faults",
        "由 POST /test/faults 注入的故障",
        "DELETE /test/faults removes all faults",
        "DELETE /test/faults 可清除全部故障",
    )
    error.retry_after_s = fault.retry_after_s
    response = error_response(error, language)
    response.status = status
    return response


def _cut(response: Response) -> Response:
    """Return `response` with a body shorter than its Content-Length, so that the connection is closed."""
    length = max(len(response.body), 1)
    headers = (*response.headers, (b"content-length", b"%d" % length))

    async def half() -> AsyncIterator[bytes]:
        yield response.body[: length // 2]

    return Response(response.status, headers=headers, code=response.code, stream=half())
