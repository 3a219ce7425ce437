"""For owners and admins: applications, and the settings of one."""

from __future__ import annotations

import msgspec

from smsign.actions import apps as actions
from smsign.console.context import HOME, Context
from smsign.console.me import confirm_password
from smsign.domain import sandbox
from smsign.domain.accounts import Role
from smsign.domain.apps import App
from smsign.domain.callbacks import Callback
from smsign.domain.content import normalize
from smsign.domain.events import Subject
from smsign.domain.formats import FORMATS
from smsign.domain.signatures import ID_MAX, Status
from smsign.errors import InvalidInput
from smsign.http.wire import Response
from smsign.storage.rows import accounts, callbacks, events, outbox, reasons
from smsign.storage.rows import apps as rows
from smsign.storage.rows import signatures as signature_rows
from smsign.storage.rows.outbox import Backlog

PAGE = 50
OVERLAPS_H = (0, 1, 24, 168)
STATUSES = {"waiting": Status.IN_AUDIT, "passed": Status.PASSED, "refused": Status.REFUSED}


class AppSummary(msgspec.Struct):
    """An application in the list: its signatures by status, and the content of the one in use."""

    app: App
    counts: dict[int, int]
    used: str | None


class CallbackSummary(msgspec.Struct):
    """A callback in the list of its application, with its backlog."""

    callback: Callback
    backlog: Backlog


async def list_(ctx: Context) -> Response:
    """List the user's applications, or all of them for an admin."""
    after, text = ctx.query.number("after"), ctx.query["q"][:64]
    if ctx.user.has(Role.ADMIN):
        found, more = await rows.search(ctx.db.scan, text, after=after, limit=PAGE)
    else:
        owned = await rows.list_owned(ctx.db.scan, ctx.user.id, after=after, limit=PAGE + 1)
        found, more = owned[:PAGE], owned[PAGE - 1].id if len(owned) > PAGE else None
    ids = [app.id for app in found]
    counts = await signature_rows.count_by_status(ctx.db.scan, ids)
    used = await signature_rows.list_in_use(ctx.db.scan, ids)
    return ctx.page(
        "apps.html",
        summaries=[AppSummary(app, counts[app.id], used.get(app.id)) for app in found],
        more=more,
        q=text,
        after=after,
    )


async def create(ctx: Context) -> Response:
    """Create an application that the user owns; a test application, if that is checked."""
    form = await ctx.form()
    app = await actions.create(
        ctx.db,
        ctx.service.vault,
        name=form["name"].strip(),
        keys=actions.make_keys(),
        use_by_hand=False,
        test_delay_ms=form.number("delay_ms") if form["test"] == "1" else None,
        actor=ctx.user.actor,
        now=ctx.now,
        owner=ctx.user.id if ctx.user.has(Role.OWNER) else None,
    )
    return ctx.redirect(f"{HOME}/apps/{app.id}", notice="created")


async def show(ctx: Context, app: int) -> Response:
    """Show an application: its signatures, keys and settings."""
    return await _page(ctx, await ctx.app(app))


async def show_secret(ctx: Context, app: int) -> Response:
    """Show the masterSecret after a password check; the ledger records it."""
    found = await ctx.app(app)
    await confirm_password(ctx, (await ctx.form())["password"])
    secret = await actions.show_secret(
        ctx.db, ctx.service.vault, app=found, actor=ctx.user.actor, now=ctx.now
    )
    return await _page(ctx, found, secret=secret)


async def rotate(ctx: Context, app: int) -> Response:
    """Rotate the masterSecret, and show the new one."""
    found = await ctx.app(app)
    overlap_s = await confirm_rotation(ctx)
    keys = await actions.rotate(
        ctx.db, ctx.service.vault, app=found, overlap_s=overlap_s, actor=ctx.user.actor, now=ctx.now
    )
    return await _page(ctx, await ctx.app(app), secret=keys.master_secret)


async def confirm_rotation(ctx: Context) -> int:
    """Check the password of a rotation form; return for how many seconds the old secret stays valid."""
    form = await ctx.form()
    await confirm_password(ctx, form["password"])
    hours = form.number("overlap")
    if hours not in OVERLAPS_H:
        raise InvalidInput("overlap: choose an option from the list", "请从列表中选择重叠时间")
    return hours * 3600


async def use(ctx: Context, app: int) -> Response:
    """Put a signature in use, or none."""
    found = await ctx.app(app)
    signature_id = (await ctx.form()).number("signature") or None
    await actions.use(ctx.db, app=found, signature_id=signature_id, actor=ctx.user.actor, now=ctx.now)
    return ctx.redirect(f"{HOME}/apps/{app}", notice="used")


async def set_by_hand(ctx: Context, app: int) -> Response:
    """Set whether a signature that passes is put in use automatically or by hand."""
    by_hand = (await ctx.form())["by_hand"] == "1"
    await actions.set_by_hand(
        ctx.db, app=await ctx.app(app), use_by_hand=by_hand, actor=ctx.user.actor, now=ctx.now
    )
    return ctx.redirect(f"{HOME}/apps/{app}", notice="saved")


async def set_open(ctx: Context, app: int) -> Response:
    """Open or close the SMS service."""
    sms_open = (await ctx.form())["open"] == "1"
    await actions.set_open(
        ctx.db, app=await ctx.app(app), sms_open=sms_open, actor=ctx.user.actor, now=ctx.now
    )
    return ctx.redirect(f"{HOME}/apps/{app}", notice="saved")


async def add_owner(ctx: Context, app: int) -> Response:
    """Add an owner."""
    name = (await ctx.form())["name"].strip().lower()
    await actions.add_owner(ctx.db, app=await ctx.app(app), name=name, actor=ctx.user.actor, now=ctx.now)
    return ctx.redirect(f"{HOME}/apps/{app}", notice="saved")


async def remove_owner(ctx: Context, app: int, account: int) -> Response:
    """Remove an owner."""
    owner = await accounts.get(ctx.db.read, account)
    await actions.remove_owner(
        ctx.db, app=await ctx.app(app), account=owner, actor=ctx.user.actor, now=ctx.now
    )
    return ctx.redirect(f"{HOME}/apps/{app}", notice="saved")


async def _page(ctx: Context, app: App, *, secret: str | None = None) -> Response:
    state, text = ctx.query["state"], ctx.query["q"][:64]
    found = await signature_rows.list_of_app(
        ctx.db.scan,
        app.id,
        status=STATUSES.get(state),
        pattern=rows.containing(normalize(text)),
        before=ctx.query.number("before") or ID_MAX + 1,
        limit=PAGE + 1,
    )
    used = None
    if app.in_use_id is not None:
        used = await signature_rows.find(ctx.db.read, app.id, app.in_use_id)
    return ctx.page(
        "app.html",
        app=app,
        secret=secret,
        signatures=found[:PAGE],
        more=found[PAGE - 1].id if len(found) > PAGE else None,
        counts=(await signature_rows.count_by_status(ctx.db.scan, [app.id]))[app.id],
        used=used,
        passed=await signature_rows.list_of_app(ctx.db.scan, app.id, status=Status.PASSED, limit=PAGE),
        test_refusals=sandbox.REFUSALS,
        reasons=await reasons.list_(ctx.db.read) if app.is_test else {},
        owners=await accounts.list_owners(ctx.db.read, app.id),
        events=(await events.list_(ctx.db.scan, Subject.APP, app.id))[::-1][:20],
        state=state,
        q=text,
        overlaps=OVERLAPS_H,
        callbacks=[
            CallbackSummary(each, await outbox.count(ctx.db.scan, each.id))
            for each in await callbacks.list_(ctx.db.read, app.id)
        ],
        formats=list(FORMATS),
        notice=ctx.notice("created", "saved", "used", "deleted"),
    )
