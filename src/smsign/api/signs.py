"""The added calls for signatures: list, show with history, images, withdraw, check."""

from __future__ import annotations

import msgspec

from smsign.actions import images
from smsign.actions import signatures as actions
from smsign.api.errors import detail
from smsign.api.etags import is_known, not_modified, tagged
from smsign.api.parameters import Parameters, make_cursor, no_parameters
from smsign.domain.apps import App
from smsign.domain.audits import REASONS, Decision, Reason, refuse_reason
from smsign.domain.events import Event, Subject, public_actor
from smsign.domain.images import SLOTS, Image
from smsign.domain.listing import cursor_of, make_filters
from smsign.domain.signatures import ID_MAX, Signature, Status
from smsign.errors import ApiError, Code, DamagedImage
from smsign.http.multipart import MultipartBody, read_form
from smsign.http.service import Service
from smsign.http.wire import Request, Response, encode, sign_id
from smsign.parsing import rfc3339
from smsign.storage.rows import events, history, listing, reasons
from smsign.storage.rows import signatures as rows
from smsign.storage.rows.listing import Listed

LIMIT, LIMIT_MAX = 20, 100
TEXT_MAX = 64
"""The highest value of the setting `content_max`."""

_TYPES = {"png": b"image/png", "jpeg": b"image/jpeg"}


class Sign(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A signature: the contract's keys in the contract's order, then the added ones."""

    sign_id: int
    sign: str
    status: int
    use_status: int
    is_default: int
    refuse_reason: str | None = None
    version: int
    created_at: str
    submitted_at: str


async def list_(service: Service, request: Request, app: App) -> Response:
    """`GET /v1/signs`."""
    query = Parameters.of_query(request)
    status = query.integer("status", 0, 2)
    use_status = query.integer("use_status", 0, 1)
    sign, prefix = query.text("sign", TEXT_MAX), query.text("prefix", TEXT_MAX)
    since, until = query.time("since"), query.time("until")
    limit = query.integer("limit", 1, LIMIT_MAX) or LIMIT
    cursor = query.cursor("cursor", 2)
    query.finish()
    filters = make_filters(
        status=status,
        use_status=use_status,
        sign=sign,
        prefix=prefix,
        since=since,
        until=until,
        cursor=(cursor[0], cursor[1]) if cursor else None,
    )
    found = await listing.list_(service.db.scan, app, filters, limit=limit + 1)
    known = await reasons.list_(service.db.read) if any(each.reasons for each in found) else {}
    page = [make_sign(each, app, known, request.language) for each in found[:limit]]
    next_cursor = make_cursor(*cursor_of(found[limit - 1].signature)) if len(found) > limit else None
    return tagged(request, {"signs": page, "next": next_cursor})


async def show(service: Service, request: Request, app: App, signature: Signature) -> Response:
    """`GET /v1/signs/{id}`: with versions, decisions and timeline."""
    no_parameters(request)
    db = service.db.scan
    known = await reasons.list_(db)
    revisions = await history.list_(db, app.id, signature.id)
    decision = revisions[-1].decision if signature.status == Status.REFUSED else None
    listed = Listed(signature, decision.reasons, decision.note) if decision else Listed(signature)
    versions = [
        {
            "n": each.version.n,
            "sign": each.version.content,
            "fields": each.version.fields,
            "images": [_image(image) for image in each.images],
            "submitted_at": rfc3339(each.version.submitted_at),
            "decision": _decision(each.decision, known, request.language),
        }
        for each in revisions
    ]
    timeline = [_timeline_entry(event) for event in await events.list_(db, Subject.SIGNATURE, signature.id)]
    sign = msgspec.to_builtins(make_sign(listed, app, known, request.language))
    return tagged(request, sign | {"versions": versions, "timeline": timeline})


async def show_image(
    service: Service, request: Request, app: App, signature: Signature, n: str, slot: str
) -> Response:
    """`GET /v1/signs/{id}/versions/{n}/images/{slot}`: the original, always a download."""
    no_parameters(request)
    image = await _find_image(service, app, signature, n, slot)
    headers = not_modified(image.sha256)
    if is_known(request, image.sha256):
        return Response(304, b"", headers)
    name = f'attachment; filename="{signature.id}-{n}-{slot}.{image.type}"'
    return Response(
        200,
        await _read(service, signature, image),
        (
            (b"content-type", _TYPES[image.type]),
            (b"content-disposition", name.encode()),
            (b"content-security-policy", b"default-src 'none'; sandbox"),
            (b"x-content-type-options", b"nosniff"),
            *headers,
        ),
    )


async def _read(service: Service, signature: Signature, image: Image) -> bytes:
    try:
        return await images.read(service.blobs, image, signature_id=signature.id)
    except DamagedImage as error:
        raise ApiError.of(
            Code.SERVER_ERROR,
            image.slot,
            "missing or damaged in the store",
            "在存储中缺失或已损坏",
            "ask the operator of the service to restore it from a backup",
            "请联系服务的运维人员从备份恢复",
        ) from error


async def withdraw(service: Service, request: Request, app: App, signature: Signature) -> Response:
    """`POST /v1/signs/{id}/withdraw`: out of the audit, to be modified later."""
    no_parameters(request)
    await actions.withdraw(service.db, app=app, signature_id=signature.id, actor=app.actor, now=service.now())
    return Response(body=encode({"sign_id": signature.id}))


async def check(service: Service, request: Request, app: App) -> Response:
    """`POST /v1/signs/check`: the problems that create, or modify, would report."""
    query = Parameters.of_query(request)
    target = query.integer("sign_id", 1, ID_MAX)
    query.finish()
    with MultipartBody() as form:
        await read_form(service, request, form)
        problems = await actions.check(
            service.db,
            service.rules,
            app=app,
            signature_id=target,
            fields=form.fields,
            uploads=form.uploads,
            problems=form.problems,
            now=service.now(),
        )
    details = [
        {"code": int(problem.code), "message": problem.code.message} | detail(problem, request.language)
        for problem in problems
    ]
    return Response(body=encode({"ok": not details, "problems": details}))


def make_sign(listed: Listed, app: App, known: dict[str, Reason], language: str) -> Sign:
    """Return a signature as the API shows it."""
    signature = listed.signature
    used = int(app.in_use_id == signature.id)
    why = refuse_reason(known, listed.reasons, listed.note, language) if listed.reasons else None
    return Sign(
        sign_id=signature.id,
        sign=signature.content,
        status=signature.status,
        use_status=used,
        is_default=used,
        refuse_reason=why if signature.status == Status.REFUSED else None,
        version=signature.version,
        created_at=rfc3339(signature.created_at),
        submitted_at=rfc3339(signature.submitted_at),
    )


async def _find_image(service: Service, app: App, signature: Signature, n: str, slot: str) -> Image:
    """Return an image of a version.

    Raises: ApiError 51001 for an invalid version or slot, 50016 for an image that does not exist.
    """
    path = Parameters({"n": sign_id(n), "slot": slot})
    version = path.integer("n", 1, ID_MAX) or 0
    path.choice("slot", SLOTS)
    path.finish()
    images = await rows.list_images(service.db.read, app.id, signature.id, version)
    for image in images:
        if image.slot == slot:
            return image
    listed = ", ".join(image.slot for image in images)
    raise ApiError.of(
        Code.API_NOT_FOUND,
        "slot",
        f"version {version} has {listed or 'no images'}",
        f"第 {version} 版的图片：{listed or '无'}",
        "GET /v1/signs/{id} lists all images",
        "GET /v1/signs/{id} 列出全部图片",
    )


def _image(image: Image) -> dict[str, object]:
    return {
        name: getattr(image, name) for name in ("slot", "type", "size_bytes", "width", "height", "sha256")
    }


def _decision(decision: Decision | None, known: dict[str, Reason], language: str) -> dict[str, object] | None:
    if decision is None:
        return None
    fields = decision.fields or tuple(REASONS[code].field for code in decision.reasons)
    return {
        "passed": bool(decision.passed),
        "reasons": [
            {
                "code": code,
                "field": field,
                "title": known[code].title.to(language),
                "advice": known[code].advice.to(language),
            }
            for code, field in zip(decision.reasons, fields, strict=True)
        ],
        "note": decision.note,
        "decided_at": rfc3339(decision.decided_at),
    }


def _timeline_entry(event: Event) -> dict[str, object]:
    entry: dict[str, object] = {
        "seq": event.seq,
        "kind": event.kind,
        "at": rfc3339(event.at),
        "actor": public_actor(event.kind, event.actor),
    }
    version = msgspec.json.decode(event.data).get("version")
    return entry | ({"version": version} if version is not None else {})
