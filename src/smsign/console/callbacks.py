"""For owners: the callbacks of an application, and their deliveries."""

from __future__ import annotations

from smsign.actions import callbacks as actions
from smsign.actions import redelivery
from smsign.console.apps import OVERLAPS_H, confirm_rotation
from smsign.console.context import HOME, Context, not_found
from smsign.console.me import confirm_password
from smsign.domain.apps import App
from smsign.domain.callbacks import DELIVERED, FAILED, Callback
from smsign.domain.formats import FORMATS
from smsign.errors import InvalidInput
from smsign.http.wire import Response
from smsign.storage.rows import callbacks as rows
from smsign.storage.rows import deliveries, outbox

PAGE = 20
REPLAY_H = (1, 24, 168, 720)


async def create(ctx: Context, app: int) -> Response:
    """Add a callback, and show its secret."""
    found, form = await ctx.app(app), await ctx.form()
    callback = await actions.register(
        ctx.db,
        ctx.service.vault,
        ctx.service.sender,
        app=found,
        url=form["url"].strip(),
        format=form["format"],
        actor=ctx.user.actor,
        now=ctx.now,
    )
    return await _page(ctx, found, callback, with_secret=True)


async def show(ctx: Context, app: int, callback: int) -> Response:
    """Show a callback, its backlog and its deliveries."""
    return await _page(ctx, *await _find(ctx, app, callback))


async def show_secret(ctx: Context, app: int, callback: int) -> Response:
    """Show the secret after a password check."""
    found = await _find(ctx, app, callback)
    await confirm_password(ctx, (await ctx.form())["password"])
    return await _page(ctx, *found, with_secret=True)


async def rotate(ctx: Context, app: int, callback: int) -> Response:
    """Rotate the secret, and show the new one."""
    found, _ = await _find(ctx, app, callback)
    changed = await actions.rotate(
        ctx.db,
        ctx.service.vault,
        app=found,
        callback_id=callback,
        overlap_s=await confirm_rotation(ctx),
        actor=ctx.user.actor,
        now=ctx.now,
    )
    return await _page(ctx, found, changed, with_secret=True)


async def pause(ctx: Context, app: int, callback: int) -> Response:
    """Pause deliveries."""
    found, _ = await _find(ctx, app, callback)
    await actions.pause(ctx.db, app=found, callback_id=callback, actor=ctx.user.actor, now=ctx.now)
    return ctx.redirect(_path(app, callback), notice="saved")


async def resume(ctx: Context, app: int, callback: int) -> Response:
    """Resume deliveries, and retry the pending ones at once."""
    found, _ = await _find(ctx, app, callback)
    await actions.resume(ctx.db, app=found, callback_id=callback, actor=ctx.user.actor, now=ctx.now)
    return ctx.redirect(_path(app, callback), notice="resumed")


async def remove(ctx: Context, app: int, callback: int) -> Response:
    """Remove the callback."""
    found, _ = await _find(ctx, app, callback)
    await actions.remove(ctx.db, app=found, callback_id=callback, actor=ctx.user.actor, now=ctx.now)
    return ctx.redirect(f"{HOME}/apps/{app}", notice="deleted")


async def replay(ctx: Context, app: int, callback: int) -> Response:
    """Deliver the events of the last hours again."""
    found, _ = await _find(ctx, app, callback)
    hours = (await ctx.form()).number("hours")
    if hours not in REPLAY_H:
        raise InvalidInput("hours: choose an option from the list", "请从列表中选择时间范围")
    await redelivery.replay(
        ctx.db,
        app=found,
        callback_id=callback,
        since=ctx.now - hours * 3_600_000_000,
        until=ctx.now,
        actor=ctx.user.actor,
        now=ctx.now,
    )
    return ctx.redirect(_path(app, callback), notice="resent")


async def resend(ctx: Context, app: int, callback: int, delivery: int) -> Response:
    """Deliver the event of one delivery again."""
    found, _ = await _find(ctx, app, callback)
    if await deliveries.find(ctx.db.read, callback, delivery) is None:
        raise not_found()
    await redelivery.resend(
        ctx.db, app=found, callback_id=callback, delivery_id=delivery, actor=ctx.user.actor, now=ctx.now
    )
    return ctx.redirect(_path(app, callback), notice="resent")


async def _find(ctx: Context, app_id: int, callback_id: int) -> tuple[App, Callback]:
    app = await ctx.app(app_id)
    callback = await rows.find(ctx.db.read, app.id, callback_id)
    if callback is None:
        raise not_found()
    return app, callback


async def _page(ctx: Context, app: App, callback: Callback, *, with_secret: bool = False) -> Response:
    state = ctx.query["state"] if ctx.query["state"] in (DELIVERED, FAILED) else ""
    before = ctx.query.number("before") or deliveries.NEWEST
    found = await deliveries.list_(ctx.db.scan, callback.id, state=state, before=before, limit=PAGE + 1)
    return ctx.page(
        "callback.html",
        app=app,
        callback=callback,
        format=FORMATS[callback.format],
        backlog=await outbox.count(ctx.db.scan, callback.id),
        secret=actions.secret_of(ctx.service.vault, app, callback) if with_secret else None,
        deliveries=found[:PAGE],
        more=found[PAGE - 1].id if len(found) > PAGE else None,
        state=state,
        overlaps=OVERLAPS_H,
        replay_spans=REPLAY_H,
        notice=ctx.notice("saved", "resumed", "resent"),
    )


def _path(app_id: int, callback_id: int) -> str:
    return f"{HOME}/apps/{app_id}/callbacks/{callback_id}"
