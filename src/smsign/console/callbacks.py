"""For owners: the endpoints of an application, and what they were told."""

from __future__ import annotations

from smsign.actions import callbacks as actions
from smsign.actions import redelivery
from smsign.console.apps import OVERLAPS_H, int_of
from smsign.console.context import HOME, Context, not_here
from smsign.console.me import confirm
from smsign.domain.apps import App
from smsign.domain.callbacks import DELIVERED, FAILED, Callback
from smsign.domain.formats import FORMATS
from smsign.errors import InvalidInput
from smsign.http.wire import Response
from smsign.storage.rows import callbacks as rows
from smsign.storage.rows import deliveries, outbox

PAGE = 20
SPANS_H = (1, 24, 168, 720)


async def create(ctx: Context, app: int) -> Response:
    """Add an endpoint; its secret is shown at once."""
    found, fields = await ctx.app(app), await ctx.fields()
    callback = await actions.register(
        ctx.db,
        ctx.service.vault,
        ctx.service.sender,
        app=found,
        url=fields.get("url", "").strip(),
        format=fields.get("format", fields.get("form", "")),
        actor=ctx.person.actor,
        now=ctx.now,
    )
    return await _page(ctx, found, callback, with_secret=True)


async def show(ctx: Context, app: int, callback: int) -> Response:
    """Show an endpoint, what waits for it, and what it was told."""
    return await _page(ctx, *await _find(ctx, app, callback))


async def show_secret(ctx: Context, app: int, callback: int) -> Response:
    """Show the secret to one who gave the password again."""
    found, endpoint = await _find(ctx, app, callback)
    await confirm(ctx, (await ctx.fields()).get("password", ""))
    return await _page(ctx, found, endpoint, with_secret=True)


async def rotate(ctx: Context, app: int, callback: int) -> Response:
    """Give the endpoint a new secret, and show it."""
    found, endpoint = await _find(ctx, app, callback)
    fields = await ctx.fields()
    await confirm(ctx, fields.get("password", ""))
    hours = int_of(fields.get("overlap", ""))
    if hours not in OVERLAPS_H:
        raise InvalidInput("overlap: choose one of the list", "请从列表中选择重叠时间")
    changed = await actions.rotate(
        ctx.db,
        ctx.service.vault,
        app=found,
        callback_id=endpoint.id,
        overlap_s=hours * 3600,
        actor=ctx.person.actor,
        now=ctx.now,
    )
    return await _page(ctx, found, changed, with_secret=True)


async def pause(ctx: Context, app: int, callback: int) -> Response:
    """Stop telling the endpoint."""
    found, endpoint = await _find(ctx, app, callback)
    await actions.pause(ctx.db, app=found, callback_id=endpoint.id, actor=ctx.person.actor, now=ctx.now)
    return ctx.go(_path(endpoint), done="saved")


async def resume(ctx: Context, app: int, callback: int) -> Response:
    """Tell the endpoint again, all that waits at once."""
    found, endpoint = await _find(ctx, app, callback)
    await actions.resume(ctx.db, app=found, callback_id=endpoint.id, actor=ctx.person.actor, now=ctx.now)
    return ctx.go(_path(endpoint), done="resumed")


async def remove(ctx: Context, app: int, callback: int) -> Response:
    """Remove the endpoint."""
    found, endpoint = await _find(ctx, app, callback)
    await actions.remove(ctx.db, app=found, callback_id=endpoint.id, actor=ctx.person.actor, now=ctx.now)
    return ctx.go(f"{HOME}/apps/{app}", done="deleted")


async def replay(ctx: Context, app: int, callback: int) -> Response:
    """Tell the endpoint again what happened in the last hours."""
    found, endpoint = await _find(ctx, app, callback)
    hours = int_of((await ctx.fields()).get("hours", ""))
    if hours not in SPANS_H:
        raise InvalidInput("hours: choose one of the list", "请从列表中选择时间范围")
    await redelivery.replay(
        ctx.db,
        app=found,
        callback_id=endpoint.id,
        since=ctx.now - hours * 3_600_000_000,
        until=ctx.now,
        actor=ctx.person.actor,
        now=ctx.now,
    )
    return ctx.go(_path(endpoint), done="resent")


async def resend(ctx: Context, app: int, callback: int, delivery: int) -> Response:
    """Tell the endpoint once more of the event of one delivery."""
    found, endpoint = await _find(ctx, app, callback)
    if await deliveries.find(ctx.db.read, endpoint.id, delivery) is None:
        raise not_here()
    await redelivery.resend(
        ctx.db,
        app=found,
        callback_id=endpoint.id,
        delivery_id=delivery,
        actor=ctx.person.actor,
        now=ctx.now,
    )
    return ctx.go(_path(endpoint), done="resent")


async def _find(ctx: Context, app: int, callback: int) -> tuple[App, Callback]:
    found = await ctx.app(app)
    endpoint = await rows.find(ctx.db.read, found.id, callback)
    if endpoint is None:
        raise not_here()
    return found, endpoint


async def _page(ctx: Context, app: App, callback: Callback, *, with_secret: bool = False) -> Response:
    state = ctx.query.get("state", "")
    state = state if state in (DELIVERED, FAILED) else ""
    before = int_of(ctx.query.get("before", "")) or deliveries.NEWEST
    found = await deliveries.list_(ctx.db.scan, callback.id, state=state, before=before, limit=PAGE + 1)
    return ctx.page(
        "callback.html",
        app=app,
        callback=callback,
        format=FORMATS[callback.format],
        waiting=await outbox.count(ctx.db.scan, callback.id),
        secret=actions.secret_of(ctx.service.vault, app, callback) if with_secret else None,
        deliveries=found[:PAGE],
        more=found[PAGE - 1].id if len(found) > PAGE else None,
        state=state,
        overlaps=OVERLAPS_H,
        spans=SPANS_H,
        done=ctx.done("saved", "resumed", "resent"),
    )


def _path(callback: Callback) -> str:
    return f"{HOME}/apps/{callback.app_id}/callbacks/{callback.id}"
