"""The added calls for the signature in use, and for the application itself."""

from __future__ import annotations

import msgspec

from smsign.actions import apps as actions
from smsign.api.etags import tagged
from smsign.api.parameters import Parameters, no_parameters
from smsign.api.signs import make_sign
from smsign.domain import quotas
from smsign.domain.apps import App
from smsign.domain.signatures import ID_MAX
from smsign.errors import ApiError, Code, InvalidInput, Problem, Text
from smsign.http.service import Service
from smsign.http.wire import Request, Response, encode
from smsign.storage.rows import quotas as quota_rows
from smsign.storage.rows import signatures as rows
from smsign.storage.rows.listing import Listed


async def show(service: Service, request: Request, app: App) -> Response:
    """`GET /v1/signs/in-use`."""
    no_parameters(request)
    return tagged(request, await _sign(service, request, app))


async def switch(service: Service, request: Request, app: App) -> Response:
    """`PUT /v1/signs/in-use`: put another passed signature in use."""
    body = await Parameters.of_body(request, timeout_s=service.settings.body_timeout)
    body.require("sign_id")
    wanted = body.integer("sign_id", 1, ID_MAX)
    body.finish()
    return Response(body=encode(await _sign(service, request, await _use(service, app, wanted))))


async def stop(service: Service, request: Request, app: App) -> Response:
    """`DELETE /v1/signs/in-use`: have no signature in use."""
    no_parameters(request)
    return Response(body=encode(await _sign(service, request, await _use(service, app, None))))


async def show_app(service: Service, request: Request, app: App) -> Response:
    """`GET /v1/app`."""
    no_parameters(request)
    limit, today = quotas.limit_of(app, service.rules), quotas.day_of(service.now())
    return tagged(
        request,
        {
            "name": app.name,
            "app_key": app.app_key,
            "sms_open": bool(app.sms_open),
            "use_by_hand": bool(app.use_by_hand),
            "in_use_id": app.in_use_id,
            "test": app.is_test,
            "test_delay_ms": app.test_delay_ms,
            "submissions_a_day": limit,
            "submitted_today": await quota_rows.get(service.db.read, app.id, today) if limit else None,
        },
    )


async def _use(service: Service, app: App, signature_id: int | None) -> App:
    try:
        return await actions.use(
            service.db, app=app, signature_id=signature_id, actor=app.actor, now=service.now()
        )
    except InvalidInput as error:
        hint = Text("send the sign_id of one with status 1", "请使用 status 为 1 的签名的 sign_id")
        problem = Problem("sign_id", error.text, hint, Code.INVALID_SIGN_ID)
        raise ApiError(Code.INVALID_SIGN_ID, [problem]) from None


async def _sign(service: Service, request: Request, app: App) -> dict[str, object]:
    signature = await rows.find(service.db.read, app.id, app.in_use_id) if app.in_use_id else None
    if signature is None:
        return {"sign_id": None}
    return dict(msgspec.to_builtins(make_sign(Listed(signature), app, {}, request.language)))
