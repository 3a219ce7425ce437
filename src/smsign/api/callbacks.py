"""The added calls for callbacks, and for their deliveries."""

from __future__ import annotations

from typing import Any

import msgspec

from smsign.actions import callbacks as actions
from smsign.actions import redelivery
from smsign.api.etags import tagged
from smsign.api.parameters import Parameters, make_cursor, no_parameters
from smsign.domain import callbacks
from smsign.domain.apps import App
from smsign.domain.callbacks import Callback, Delivery
from smsign.http.service import Service
from smsign.http.wire import Request, Response, encode
from smsign.parsing import parse_int, rfc3339
from smsign.storage.rows import callbacks as rows
from smsign.storage.rows import deliveries, outbox

PAGE, PAGE_MAX = 20, 100


async def list_(service: Service, request: Request, app: App) -> Response:
    """`GET /v1/callbacks`."""
    no_parameters(request)
    found = await rows.list_(service.db.read, app.id)
    return tagged(request, {"callbacks": [await _describe(service, each) for each in found]})


async def create(service: Service, request: Request, app: App) -> Response:
    """`POST /v1/callbacks`: `{"url", "format"?}`; `form` is the old name of `format`."""
    body = await Parameters.of_body(request, timeout_s=service.settings.body_timeout)
    body.require("url")
    url = body.text("url", callbacks.URL_CHARACTERS) or ""
    name = body.text("format", 100) or body.text("form", 100) or callbacks.STANDARD
    body.finish()
    callback = await actions.register(
        service.db,
        service.vault,
        service.sender,
        app=app,
        url=url,
        format=name,
        actor=app.actor,
        now=service.now(),
    )
    return Response(body=encode(await _with_secret(service, app, callback)))


async def show(service: Service, request: Request, app: App, callback_id: str) -> Response:
    """`GET /v1/callbacks/{callback}`: with its secret."""
    found = await _find(service, app, callback_id)
    no_parameters(request)
    return tagged(request, await _with_secret(service, app, found))


async def delete(service: Service, request: Request, app: App, callback_id: str) -> Response:
    """`DELETE /v1/callbacks/{callback}`: its events in the outbox are dropped."""
    found = await _find(service, app, callback_id)
    no_parameters(request)
    await actions.remove(service.db, app=app, callback_id=found.id, actor=app.actor, now=service.now())
    return Response()


async def rotate(service: Service, request: Request, app: App, callback_id: str) -> Response:
    """`POST /v1/callbacks/{callback}/rotate`: `{"overlap_s"?}`; makes a new secret."""
    found = await _find(service, app, callback_id)
    body = await Parameters.of_body(request, timeout_s=service.settings.body_timeout, optional=True)
    overlap_s = body.integer("overlap_s", 0, callbacks.OVERLAP_MAX_S)
    body.finish()
    callback = await actions.rotate(
        service.db,
        service.vault,
        app=app,
        callback_id=found.id,
        overlap_s=callbacks.OVERLAP_S if overlap_s is None else overlap_s,
        actor=app.actor,
        now=service.now(),
    )
    return Response(body=encode(await _with_secret(service, app, callback)))


async def resume(service: Service, request: Request, app: App, callback_id: str) -> Response:
    """`POST /v1/callbacks/{callback}/resume`: its events are due at once, in order."""
    found = await _find(service, app, callback_id)
    no_parameters(request)
    callback = await actions.resume(
        service.db, app=app, callback_id=found.id, actor=app.actor, now=service.now()
    )
    return Response(body=encode(await _describe(service, callback)))


async def replay(service: Service, request: Request, app: App, callback_id: str) -> Response:
    """`POST /v1/callbacks/{callback}/replay`: `{"since", "until"}`; delivers those events again."""
    found = await _find(service, app, callback_id)
    body = await Parameters.of_body(request, timeout_s=service.settings.body_timeout)
    body.require("since", "until")
    since, until = body.time("since") or 0, body.time("until") or 0
    body.finish()
    count = await redelivery.replay(
        service.db,
        app=app,
        callback_id=found.id,
        since=since,
        until=until,
        actor=app.actor,
        now=service.now(),
    )
    return Response(body=encode({"events": count}))


async def list_deliveries(service: Service, request: Request, app: App, callback_id: str) -> Response:
    """`GET /v1/callbacks/{callback}/deliveries?state&limit&cursor`: newest first."""
    callback = await _find(service, app, callback_id)
    query = Parameters.of_query(request)
    state = query.choice("state", (callbacks.DELIVERED, callbacks.FAILED)) or ""
    limit = query.integer("limit", 1, PAGE_MAX) or PAGE
    (before,) = query.cursor("cursor", 1) or (deliveries.NEWEST,)
    query.finish()
    found = await deliveries.list_(service.db.scan, callback.id, state=state, before=before, limit=limit + 1)
    page = found[:limit]
    next_cursor = make_cursor(page[-1].id) if len(found) > limit else None
    return tagged(request, {"deliveries": [_summary(each) for each in page], "next": next_cursor})


async def show_delivery(
    service: Service, request: Request, app: App, callback_id: str, delivery_id: str
) -> Response:
    """`GET /v1/callbacks/{callback}/deliveries/{delivery}`: with request and response."""
    callback = await _find(service, app, callback_id)
    no_parameters(request)
    delivery = await deliveries.find(service.db.read, callback.id, _id(delivery_id))
    if delivery is None:
        raise callbacks.unknown("delivery_id")
    sent = {"url": delivery.url, "headers": msgspec.json.decode(delivery.headers), "body": delivery.body}
    return tagged(request, _summary(delivery) | {"sent": sent, "answer": delivery.answer})


async def resend(
    service: Service, request: Request, app: App, callback_id: str, delivery_id: str
) -> Response:
    """`POST /v1/callbacks/{callback}/deliveries/{delivery}/resend`: deliver its event again."""
    callback = await _find(service, app, callback_id)
    no_parameters(request)
    await redelivery.resend(
        service.db,
        app=app,
        callback_id=callback.id,
        delivery_id=_id(delivery_id),
        actor=app.actor,
        now=service.now(),
    )
    return Response(body=encode({"events": 1}))


async def _find(service: Service, app: App, callback_id: str) -> Callback:
    callback = await rows.find(service.db.read, app.id, _id(callback_id))
    if callback is None:
        raise callbacks.unknown("callback_id")
    return callback


async def _describe(service: Service, callback: Callback) -> dict[str, Any]:
    waiting = await outbox.count(service.db.scan, callback.id)
    return {
        "callback_id": callback.id,
        "url": callback.url,
        "format": callback.format,
        "state": callback.state,
        "why": callback.why or None,
        "failures": callback.failures,
        "failing_since": _time(callback.failing_since),
        "pending": waiting.size,
        "pending_since": _time(waiting.oldest_at),
        "created_at": rfc3339(callback.created_at),
    }


async def _with_secret(service: Service, app: App, callback: Callback) -> dict[str, Any]:
    until = callback.old_secret_until
    return await _describe(service, callback) | {
        "secret": actions.secret_of(service.vault, app, callback),
        "old_secret_until": _time(until if (until or 0) > service.now() else None),
    }


def _summary(delivery: Delivery) -> dict[str, Any]:
    return {
        "delivery_id": delivery.id,
        "event_id": delivery.event_id,
        "type": delivery.kind,
        "sign_id": delivery.signature_id,
        "seq": delivery.seq,
        "attempt": delivery.attempt,
        "state": delivery.state,
        "at": rfc3339(delivery.at),
        "ms": delivery.ms,
        "status": delivery.status,
        "error": delivery.error or None,
    }


def _id(text: str) -> int:
    """Return the id in a path, or 0, which no row has."""
    return parse_int(text) or 0


def _time(at: int | None) -> str | None:
    return rfc3339(at) if at is not None else None
