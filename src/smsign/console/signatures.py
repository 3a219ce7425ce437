"""One signature: its versions with what changed, its decisions, its timeline."""

from __future__ import annotations

from smsign.actions import audits as audit_actions
from smsign.actions import signatures as actions
from smsign.console.context import HOME, Context, not_found
from smsign.domain.apps import App
from smsign.domain.events import Subject
from smsign.domain.signatures import Signature
from smsign.http.wire import Response
from smsign.storage.engine.protocol import Reader
from smsign.storage.rows import apps as app_rows
from smsign.storage.rows import events, history, reasons
from smsign.storage.rows.history import Revision


class ComparedRevision(Revision, frozen=True):
    """A revision, and the names of the fields that differ from the one before."""

    changed: frozenset[str]


async def show(ctx: Context, signature: int) -> Response:
    """Show a signature to its owner, an auditor or an admin."""
    found = await ctx.signature(signature)
    return ctx.page(
        "signature.html",
        signature=found,
        app=await app_rows.find(ctx.db.read, found.app_id),
        revisions=await list_revisions(ctx.db.read, found),
        events=await events.list_(ctx.db.read, Subject.SIGNATURE, found.id),
        reasons=await reasons.list_(ctx.db.read),
        manages=await ctx.manages(found.app_id),
        notice=ctx.notice("submitted", "reopened"),
    )


async def delete(ctx: Context, signature: int) -> Response:
    """Delete a signature; one in the audit is withdrawn."""
    found, app = await find_managed(ctx, signature)
    await actions.delete(ctx.db, app=app, signature_id=found.id, actor=ctx.user.actor, now=ctx.now)
    return ctx.redirect(f"{HOME}/apps/{app.id}", notice="deleted")


async def reopen(ctx: Context, signature: int) -> Response:
    """Reopen the audit of a decided signature."""
    reason = (await ctx.form())["reason"]
    await audit_actions.reopen(
        ctx.db, signature_id=signature, reason=reason, actor=ctx.user.actor, now=ctx.now
    )
    return ctx.redirect(f"{HOME}/signatures/{signature}", notice="reopened")


async def find_managed(ctx: Context, signature_id: int) -> tuple[Signature, App]:
    """Return a signature that the user may change, with its application.

    Raises: NotFound.
    """
    found = await ctx.signature(signature_id)
    app = await app_rows.find(ctx.db.read, found.app_id)
    if app is None or not await ctx.manages(app.id):
        raise not_found()
    return found, app


async def list_revisions(db: Reader, signature: Signature) -> list[ComparedRevision]:
    """Return all revisions of a signature, the newest first, each compared with the one before."""
    found: list[ComparedRevision] = []
    before: dict[str, str] = {}
    for each in await history.list_(db, signature.app_id, signature.id):
        images = {image.slot: image.sha256 for image in each.images}
        fields = {"sign": each.version.content, **each.version.fields, **images}
        changed = {name for name in fields.keys() | before.keys() if fields.get(name) != before.get(name)}
        compared = frozenset(changed if before else ())
        found.append(ComparedRevision(each.version, each.images, each.decision, compared))
        before = fields
    return found[::-1]
