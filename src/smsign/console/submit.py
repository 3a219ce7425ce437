"""For owners: submit a signature, and again after a refusal, through the same form reader as the API's."""

from __future__ import annotations

from collections.abc import Sequence

from smsign.actions import signatures as actions
from smsign.console.visit import HOME, Visit, not_here
from smsign.domain import content, images, signatures
from smsign.domain.apps import App
from smsign.domain.signatures import Signature, Status
from smsign.errors import Problem, Refusal
from smsign.storage import apps as app_rows
from smsign.storage import audits, reasons
from smsign.storage import signatures as rows
from smsign.web.multipart import Form, read_form
from smsign.web.wire import Response


async def show_new(visit: Visit, app: int) -> Response:
    """Show the form for a new signature."""
    return await _page(visit, await visit.app(app), None, {}, ())


async def create(visit: Visit, app: int) -> Response:
    """Submit a new signature."""
    return await _submit(visit, await visit.app(app), None)


async def show_again(visit: Visit, signature: int) -> Response:
    """Show the form of a refused one, with what was said of it."""
    found, app = await _mine(visit, signature)
    last = (await rows.list_versions(visit.db.read, app.id, found.id))[-1]
    return await _page(visit, app, found, {"sign": last.content, **last.fields}, ())


async def resubmit(visit: Visit, signature: int) -> Response:
    """Submit the next version of a refused one."""
    found, app = await _mine(visit, signature)
    return await _submit(visit, app, found)


async def check(visit: Visit) -> Response:
    """Say what the rules say of a content, as it is typed."""
    text, rules = visit.query.get("sign", ""), visit.service.rules
    problems = content.check(text, at_least=rules.content_min, at_most=rules.content_max) if text else []
    return visit.page("check.html", text=text, problems=problems)


async def _mine(visit: Visit, signature: int) -> tuple[Signature, App]:
    found = await visit.signature(signature)
    app = await app_rows.find(visit.db.read, found.app_id)
    if app is None or not await visit.owns(app.id):
        raise not_here()
    return found, app


async def _submit(visit: Visit, app: App, signature: Signature | None) -> Response:
    service = visit.service
    with Form() as form:
        try:
            await read_form(service, visit.request, form)
            submitted = await actions.submit(
                visit.db,
                service.blobs,
                service.rules,
                app=app,
                signature_id=signature.id if signature else None,
                fields=form.fields,
                pictures=form.pictures,
                problems=form.problems,
                actor=visit.person.actor,
                now=visit.now,
            )
        except Refusal as refusal:
            return await _page(visit, app, signature, form.fields, refusal.problems)
    return visit.go(f"{HOME}/signatures/{submitted}", done="submitted")


async def _page(
    visit: Visit, app: App, signature: Signature | None, fields: dict[str, str], problems: Sequence[Problem]
) -> Response:
    decision = None
    if signature is not None and signature.status == Status.REFUSED:
        decision = await audits.find(visit.db.read, app.id, signature.id, signature.version)
    return visit.page(
        "submit.html",
        status=422 if problems else 200,
        app=app,
        signature=signature,
        fields=fields,
        problems=problems,
        decision=decision,
        reasons=await reasons.list_(visit.db.read),
        rules=visit.service.rules,
        types=signatures.TYPES,
        texts=signatures.TEXT_FIELDS,
        slots=images.NUMBERED,
        named=images.NAMED,
    )
