"""For owners: submit a signature, and again after a refusal, through the same form reader as the API's."""

from __future__ import annotations

from collections.abc import Sequence

from smsign.actions import signatures as actions
from smsign.console.context import HOME, Context, not_here
from smsign.domain import content, images, signatures
from smsign.domain.apps import App
from smsign.domain.signatures import Signature, Status
from smsign.errors import ApiError, Problem
from smsign.http.multipart import MultipartBody, read_form
from smsign.http.wire import Response
from smsign.storage.rows import apps as app_rows
from smsign.storage.rows import audits, reasons
from smsign.storage.rows import signatures as rows


async def show_new(ctx: Context, app: int) -> Response:
    """Show the form for a new signature."""
    return await _page(ctx, await ctx.app(app), None, {}, ())


async def create(ctx: Context, app: int) -> Response:
    """Submit a new signature."""
    return await _submit(ctx, await ctx.app(app), None)


async def show_again(ctx: Context, signature: int) -> Response:
    """Show the form of a refused one, with what was said of it."""
    found, app = await _mine(ctx, signature)
    last = (await rows.list_versions(ctx.db.read, app.id, found.id))[-1]
    return await _page(ctx, app, found, {"sign": last.content, **last.fields}, ())


async def resubmit(ctx: Context, signature: int) -> Response:
    """Submit the next version of a refused one."""
    found, app = await _mine(ctx, signature)
    return await _submit(ctx, app, found)


async def check(ctx: Context) -> Response:
    """Say what the rules say of a content, as it is typed."""
    text, rules = ctx.query.get("sign", ""), ctx.service.rules
    problems = content.check(text, at_least=rules.content_min, at_most=rules.content_max) if text else []
    return ctx.page("check.html", text=text, problems=problems)


async def _mine(ctx: Context, signature: int) -> tuple[Signature, App]:
    found = await ctx.signature(signature)
    app = await app_rows.find(ctx.db.read, found.app_id)
    if app is None or not await ctx.owns(app.id):
        raise not_here()
    return found, app


async def _submit(ctx: Context, app: App, signature: Signature | None) -> Response:
    service = ctx.service
    with MultipartBody() as form:
        try:
            await read_form(service, ctx.request, form)
            submitted = await actions.submit(
                ctx.db,
                service.blobs,
                service.rules,
                app=app,
                signature_id=signature.id if signature else None,
                fields=form.fields,
                uploads=form.uploads,
                problems=form.problems,
                actor=ctx.person.actor,
                now=ctx.now,
            )
        except ApiError as refusal:
            return await _page(ctx, app, signature, form.fields, refusal.problems)
    return ctx.go(f"{HOME}/signatures/{submitted}", done="submitted")


async def _page(
    ctx: Context, app: App, signature: Signature | None, fields: dict[str, str], problems: Sequence[Problem]
) -> Response:
    decision = None
    if signature is not None and signature.status == Status.REFUSED:
        decision = await audits.find(ctx.db.read, app.id, signature.id, signature.version)
    return ctx.page(
        "submit.html",
        status=422 if problems else 200,
        app=app,
        signature=signature,
        fields=fields,
        problems=problems,
        decision=decision,
        reasons=await reasons.list_(ctx.db.read),
        rules=ctx.service.rules,
        types=signatures.TYPES,
        texts=signatures.TEXT_FIELDS,
        slots=images.NUMBERED,
        named=images.NAMED,
    )
