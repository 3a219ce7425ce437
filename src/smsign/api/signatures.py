"""The contract's four calls."""

from __future__ import annotations

import msgspec

from smsign.actions import signatures as actions
from smsign.domain.apps import App
from smsign.domain.audits import refuse_reason
from smsign.domain.idempotency import check_key
from smsign.domain.signatures import Signature, Status
from smsign.http.multipart import MultipartBody, read_form
from smsign.http.service import Service
from smsign.http.wire import Request, Response, encode
from smsign.storage.rows import audits, reasons


class SignId(msgspec.Struct):
    """The response of create and modify."""

    sign_id: int


class SignResponse(msgspec.Struct, omit_defaults=True):
    """The response of a query: the contract's keys in the contract's order."""

    sign_id: int
    sign: str
    status: int
    use_status: int
    is_default: int
    refuse_reason: str | None = None


async def create(service: Service, request: Request, app: App) -> Response:
    """`POST /v1/sign` (contract, Create Signature API)."""
    return await _submit(service, request, app, None)


async def modify(service: Service, request: Request, app: App, signature: Signature) -> Response:
    """`PUT` and `POST /v1/sign/{id}` (contract, Modify Signature API)."""
    return await _submit(service, request, app, signature.id)


async def query(service: Service, request: Request, app: App, signature: Signature) -> Response:
    """`GET /v1/sign/{id}` (contract, Query Signature API)."""
    used = int(app.in_use_id == signature.id)
    response = SignResponse(signature.id, signature.content, signature.status, used, used)
    if signature.status == Status.REFUSED:
        decision = await audits.find(service.db.read, app.id, signature.id, signature.version)
        if decision is not None:
            response.refuse_reason = refuse_reason(
                await reasons.list_(service.db.read), decision.reasons, decision.note, request.language
            )
    return Response(body=encode(response))


async def delete(service: Service, request: Request, app: App, signature: Signature) -> Response:
    """`DELETE /v1/sign/{id}` (contract, Delete Signature API)."""
    await actions.delete(service.db, app=app, signature_id=signature.id, actor=app.actor, now=service.now())
    return Response()


async def _submit(service: Service, request: Request, app: App, signature_id: int | None) -> Response:
    key = None
    if b"idempotency-key" in request.headers:
        key = request.header(b"idempotency-key")
        check_key(key)
    with MultipartBody() as form:
        await read_form(service, request, form)
        submitted_id = await actions.submit(
            service.db,
            service.blobs,
            service.rules,
            app=app,
            signature_id=signature_id,
            fields=form.fields,
            uploads=form.uploads,
            problems=form.problems,
            actor=app.actor,
            now=service.now(),
            key=key,
        )
    return Response(body=encode(SignId(submitted_id)))
