"""One signature: its versions with what changed, every reason with its advice, its timeline."""

from __future__ import annotations

import msgspec

from smsign.actions import audits as audit_actions
from smsign.actions import signatures as actions
from smsign.console.context import HOME, Context, not_here
from smsign.domain.audits import Decision
from smsign.domain.events import Subject
from smsign.domain.images import Image
from smsign.domain.signatures import Signature, Version
from smsign.http.wire import Response
from smsign.storage.engine.protocol import Reader
from smsign.storage.rows import apps as app_rows
from smsign.storage.rows import events, history, reasons


class Round(msgspec.Struct):
    """One version with its evidence, what was decided of it, and which fields differ from the one before."""

    version: Version
    images: list[Image]
    decision: Decision | None
    changed: frozenset[str]


async def show(ctx: Context, signature: int) -> Response:
    """Show a signature to its owner, an auditor or an admin."""
    found = await ctx.signature(signature)
    app = await app_rows.find(ctx.db.read, found.app_id)
    return ctx.page(
        "signature.html",
        signature=found,
        app=app,
        rounds=await rounds(ctx.db.read, found),
        events=await events.list_(ctx.db.read, Subject.SIGNATURE, found.id),
        reasons=await reasons.list_(ctx.db.read),
        manages=await ctx.owns(found.app_id),
        done=ctx.done("submitted", "reopened"),
    )


async def delete(ctx: Context, signature: int) -> Response:
    """Delete a signature; one in the audit is withdrawn by it."""
    found = await ctx.signature(signature)
    app = await app_rows.find(ctx.db.read, found.app_id)
    if app is None or not await ctx.owns(app.id):
        raise not_here()
    await actions.delete(ctx.db, app=app, signature_id=found.id, actor=ctx.person.actor, now=ctx.now)
    return ctx.go(f"{HOME}/apps/{app.id}", done="deleted")


async def reopen(ctx: Context, signature: int) -> Response:
    """Put a decided one back in the audit."""
    reason = (await ctx.fields()).get("reason", "")
    await audit_actions.reopen(
        ctx.db, signature_id=signature, reason=reason, actor=ctx.person.actor, now=ctx.now
    )
    return ctx.go(f"{HOME}/signatures/{signature}", done="reopened")


async def rounds(db: Reader, signature: Signature) -> list[Round]:
    """Return all versions of a signature, the newest first."""
    found: list[Round] = []
    before: dict[str, str] = {}
    for each in await history.list_(db, signature.app_id, signature.id):
        version, images = each.version, each.images
        fields = {"sign": version.content, **version.fields, **{image.slot: image.sha256 for image in images}}
        changed = {name for name in fields.keys() | before.keys() if fields.get(name) != before.get(name)}
        found.append(Round(version, images, each.decision, frozenset(changed if before else ())))
        before = fields
    return found[::-1]
