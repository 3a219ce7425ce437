"""For owners: the endpoints of an application, and what they were told."""

from __future__ import annotations

from smsign.actions import callbacks as actions
from smsign.console.apps import OVERLAPS_H, int_of
from smsign.console.me import confirm
from smsign.console.visit import HOME, Visit, not_here
from smsign.domain.apps import App
from smsign.domain.callbacks import DELIVERED, FAILED, Callback
from smsign.domain.forms import FORMS
from smsign.errors import InvalidInput
from smsign.storage import callbacks as rows
from smsign.storage import deliveries, outbox
from smsign.web.wire import Response

PAGE = 20
SPANS_H = (1, 24, 168, 720)


async def create(visit: Visit, app: int) -> Response:
    """Add an endpoint; its secret is shown at once."""
    found, fields = await visit.app(app), await visit.fields()
    callback = await actions.register(
        visit.db,
        visit.service.vault,
        visit.service.sender,
        app=found,
        url=fields.get("url", "").strip(),
        form=fields.get("form", ""),
        actor=visit.person.actor,
        now=visit.now,
    )
    return await _page(visit, found, callback, with_secret=True)


async def show(visit: Visit, app: int, callback: int) -> Response:
    """Show an endpoint, what waits for it, and what it was told."""
    return await _page(visit, *await _find(visit, app, callback))


async def show_secret(visit: Visit, app: int, callback: int) -> Response:
    """Show the secret to one who gave the password again."""
    found, endpoint = await _find(visit, app, callback)
    await confirm(visit, (await visit.fields()).get("password", ""))
    return await _page(visit, found, endpoint, with_secret=True)


async def rotate(visit: Visit, app: int, callback: int) -> Response:
    """Give the endpoint a new secret, and show it."""
    found, endpoint = await _find(visit, app, callback)
    fields = await visit.fields()
    await confirm(visit, fields.get("password", ""))
    hours = int_of(fields.get("overlap", ""))
    if hours not in OVERLAPS_H:
        raise InvalidInput("overlap: choose one of the list", "请从列表中选择重叠时间")
    changed = await actions.rotate(
        visit.db,
        visit.service.vault,
        app=found,
        callback_id=endpoint.id,
        overlap_s=hours * 3600,
        actor=visit.person.actor,
        now=visit.now,
    )
    return await _page(visit, found, changed, with_secret=True)


async def pause(visit: Visit, app: int, callback: int) -> Response:
    """Stop telling the endpoint."""
    found, endpoint = await _find(visit, app, callback)
    await actions.pause(visit.db, app=found, callback_id=endpoint.id, actor=visit.person.actor, now=visit.now)
    return visit.go(_path(endpoint), done="saved")


async def resume(visit: Visit, app: int, callback: int) -> Response:
    """Tell the endpoint again, all that waits at once."""
    found, endpoint = await _find(visit, app, callback)
    await actions.resume(
        visit.db, app=found, callback_id=endpoint.id, actor=visit.person.actor, now=visit.now
    )
    return visit.go(_path(endpoint), done="resumed")


async def remove(visit: Visit, app: int, callback: int) -> Response:
    """Remove the endpoint."""
    found, endpoint = await _find(visit, app, callback)
    await actions.remove(
        visit.db, app=found, callback_id=endpoint.id, actor=visit.person.actor, now=visit.now
    )
    return visit.go(f"{HOME}/apps/{app}", done="deleted")


async def replay(visit: Visit, app: int, callback: int) -> Response:
    """Tell the endpoint again what happened in the last hours."""
    found, endpoint = await _find(visit, app, callback)
    hours = int_of((await visit.fields()).get("hours", ""))
    if hours not in SPANS_H:
        raise InvalidInput("hours: choose one of the list", "请从列表中选择时间范围")
    await actions.replay(
        visit.db,
        app=found,
        callback_id=endpoint.id,
        since=visit.now - hours * 3_600_000_000,
        until=visit.now,
        actor=visit.person.actor,
        now=visit.now,
    )
    return visit.go(_path(endpoint), done="resent")


async def resend(visit: Visit, app: int, callback: int, delivery: int) -> Response:
    """Tell the endpoint once more of the event of one delivery."""
    found, endpoint = await _find(visit, app, callback)
    if await deliveries.find(visit.db.read, endpoint.id, delivery) is None:
        raise not_here()
    await actions.resend(
        visit.db,
        app=found,
        callback_id=endpoint.id,
        delivery_id=delivery,
        actor=visit.person.actor,
        now=visit.now,
    )
    return visit.go(_path(endpoint), done="resent")


async def _find(visit: Visit, app: int, callback: int) -> tuple[App, Callback]:
    found = await visit.app(app)
    endpoint = await rows.find(visit.db.read, found.id, callback)
    if endpoint is None:
        raise not_here()
    return found, endpoint


async def _page(visit: Visit, app: App, callback: Callback, *, with_secret: bool = False) -> Response:
    state = visit.query.get("state", "")
    state = state if state in (DELIVERED, FAILED) else ""
    before = int_of(visit.query.get("before", "")) or deliveries.NEWEST
    found = await deliveries.list_(visit.db.scan, callback.id, state=state, before=before, limit=PAGE + 1)
    return visit.page(
        "callback.html",
        app=app,
        callback=callback,
        form=FORMS[callback.form],
        waiting=await outbox.count(visit.db.scan, callback.id),
        secret=actions.secret_of(visit.service.vault, app, callback) if with_secret else None,
        deliveries=found[:PAGE],
        more=found[PAGE - 1].id if len(found) > PAGE else None,
        state=state,
        overlaps=OVERLAPS_H,
        spans=SPANS_H,
        done=visit.done("saved", "resumed", "resent"),
    )


def _path(callback: Callback) -> str:
    return f"{HOME}/apps/{callback.app_id}/callbacks/{callback.id}"
