"""For owners: submit a signature, or resubmit a refused one, through the API's reader of multipart forms."""

from __future__ import annotations

from collections.abc import Sequence

from smsign.actions import signatures as actions
from smsign.console.context import HOME, Context
from smsign.console.signatures import find_managed
from smsign.domain import content, images, signatures
from smsign.domain.apps import App
from smsign.domain.signatures import Signature, Status
from smsign.errors import ApiError, Problem
from smsign.http.multipart import MultipartBody, read_form
from smsign.http.wire import Response
from smsign.storage.rows import audits, reasons
from smsign.storage.rows import signatures as rows


async def show_new(ctx: Context, app: int) -> Response:
    """Show the form for a new signature."""
    return await _page(ctx, await ctx.app(app), None, {})


async def create(ctx: Context, app: int) -> Response:
    """Submit a new signature."""
    return await _submit(ctx, await ctx.app(app), None)


async def show_resubmit(ctx: Context, signature: int) -> Response:
    """Show the form for the next version of a signature, filled in with the last one, and its refusal."""
    found, app = await find_managed(ctx, signature)
    last = (await rows.list_versions(ctx.db.read, app.id, found.id))[-1]
    return await _page(ctx, app, found, {"sign": last.content, **last.fields})


async def resubmit(ctx: Context, signature: int) -> Response:
    """Submit the next version of a signature."""
    found, app = await find_managed(ctx, signature)
    return await _submit(ctx, app, found)


async def check(ctx: Context) -> Response:
    """Validate a content as it is typed, and return the result as a fragment of HTML."""
    text, rules = ctx.query["sign"], ctx.service.rules
    problems = content.check(text, at_least=rules.content_min, at_most=rules.content_max) if text else []
    return ctx.page("check.html", text=text, problems=problems)


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
                actor=ctx.user.actor,
                now=ctx.now,
            )
        except ApiError as error:
            return await _page(ctx, app, signature, form.fields, error.problems)
    return ctx.redirect(f"{HOME}/signatures/{submitted}", notice="submitted")


async def _page(
    ctx: Context,
    app: App,
    signature: Signature | None,
    fields: dict[str, str],
    problems: Sequence[Problem] = (),
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
