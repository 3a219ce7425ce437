"""For owners: their applications, and the settings of one."""

from __future__ import annotations

import msgspec

from smsign.actions import apps as actions
from smsign.console.context import HOME, Context
from smsign.console.me import confirm
from smsign.domain import sandbox
from smsign.domain.accounts import Role
from smsign.domain.apps import App
from smsign.domain.callbacks import Callback
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
STATES = {"waiting": Status.IN_AUDIT, "passed": Status.PASSED, "refused": Status.REFUSED}


class Card(msgspec.Struct):
    """An application with what its list shows of it."""

    app: App
    counts: dict[int, int]
    used: str | None


class Endpoint(msgspec.Struct):
    """An endpoint of an application, with how much waits for it."""

    callback: Callback
    waiting: Backlog


async def list_(ctx: Context) -> Response:
    """List one's own applications, or for an admin all of them."""
    after, text = int_of(ctx.query.get("after", "")), ctx.query.get("q", "")[:64]
    if ctx.person.has(Role.ADMIN):
        found = await rows.list_found(ctx.db.scan, text, after=after, limit=PAGE + 1)
    else:
        found = await rows.list_owned(ctx.db.scan, ctx.person.id, after=after, limit=PAGE + 1)
    ids = [app.id for app in found[:PAGE]]
    counts = await signature_rows.count_by_status(ctx.db.scan, ids)
    used = await signature_rows.list_in_use(ctx.db.scan, ids)
    cards = [Card(app, counts[app.id], used.get(app.id)) for app in found[:PAGE]]
    more = found[PAGE - 1].id if len(found) > PAGE else None
    return ctx.page("apps.html", cards=cards, more=more, q=text, after=after, error=None)


async def create(ctx: Context) -> Response:
    """Make an application that belongs to this person; one for tests, if that is ticked."""
    fields = await ctx.fields()
    is_test = fields.get("test") == "1"
    app = await actions.create(
        ctx.db,
        ctx.service.vault,
        name=fields.get("name", "").strip(),
        keys=actions.make_keys(),
        use_by_hand=False,
        test_delay_ms=int_of(fields.get("delay_ms", "")) if is_test else None,
        actor=ctx.person.actor,
        now=ctx.now,
        owner=ctx.person.id if ctx.person.has(Role.OWNER) else None,
    )
    return ctx.go(f"{HOME}/apps/{app.id}", done="created")


async def show(ctx: Context, app: int) -> Response:
    """Show an application: its signatures, keys and settings."""
    return await _page(ctx, await ctx.app(app))


async def show_secret(ctx: Context, app: int) -> Response:
    """Show the masterSecret to one who gave the password again; the ledger records it."""
    found = await ctx.app(app)
    await confirm(ctx, (await ctx.fields()).get("password", ""))
    secret = await actions.show_secret(
        ctx.db, ctx.service.vault, app=found, actor=ctx.person.actor, now=ctx.now
    )
    return await _page(ctx, found, secret=secret)


async def rotate(ctx: Context, app: int) -> Response:
    """Give the application a new masterSecret, and show it."""
    found, fields = await ctx.app(app), await ctx.fields()
    await confirm(ctx, fields.get("password", ""))
    hours = int_of(fields.get("overlap", ""))
    if hours not in OVERLAPS_H:
        raise InvalidInput("overlap: choose one of the list", "请从列表中选择重叠时间")
    keys = await actions.rotate(
        ctx.db,
        ctx.service.vault,
        app=found,
        overlap_s=hours * 3600,
        actor=ctx.person.actor,
        now=ctx.now,
    )
    return await _page(ctx, await ctx.app(app), secret=keys.master_secret)


async def use(ctx: Context, app: int) -> Response:
    """Put a signature in use, or none."""
    found = await ctx.app(app)
    wanted = int_of((await ctx.fields()).get("signature", ""))
    await actions.use(ctx.db, app=found, signature_id=wanted or None, actor=ctx.person.actor, now=ctx.now)
    return ctx.go(f"{HOME}/apps/{app}", done="used")


async def switch(ctx: Context, app: int) -> Response:
    """Set whether what passes is used at once or when its owner says so."""
    by_hand = (await ctx.fields()).get("by_hand") == "1"
    await actions.set_by_hand(
        ctx.db, app=await ctx.app(app), use_by_hand=by_hand, actor=ctx.person.actor, now=ctx.now
    )
    return ctx.go(f"{HOME}/apps/{app}", done="saved")


async def open_(ctx: Context, app: int) -> Response:
    """Open or close the SMS service."""
    sms_open = (await ctx.fields()).get("open") == "1"
    await actions.set_open(
        ctx.db, app=await ctx.app(app), sms_open=sms_open, actor=ctx.person.actor, now=ctx.now
    )
    return ctx.go(f"{HOME}/apps/{app}", done="saved")


async def add_owner(ctx: Context, app: int) -> Response:
    """Make another person an owner."""
    name = (await ctx.fields()).get("name", "").strip().lower()
    await actions.add_owner(ctx.db, app=await ctx.app(app), name=name, actor=ctx.person.actor, now=ctx.now)
    return ctx.go(f"{HOME}/apps/{app}", done="saved")


async def remove_owner(ctx: Context, app: int, account: int) -> Response:
    """Take the application from a person."""
    await actions.remove_owner(
        ctx.db,
        app=await ctx.app(app),
        account=await accounts.get(ctx.db.read, account),
        actor=ctx.person.actor,
        now=ctx.now,
    )
    return ctx.go(f"{HOME}/apps/{app}", done="saved")


async def _page(ctx: Context, app: App, *, secret: str | None = None) -> Response:
    state, text = ctx.query.get("state", ""), ctx.query.get("q", "")[:64]
    before = int_of(ctx.query.get("before", "")) or ID_MAX + 1
    found = await signature_rows.list_of_app(
        ctx.db.scan,
        app.id,
        status=STATES.get(state),
        pattern=rows.containing(text),
        before=before,
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
        counts=(await signature_rows.count_by_status(ctx.db.read, [app.id]))[app.id],
        used=used,
        passed=await signature_rows.list_of_app(ctx.db.scan, app.id, status=Status.PASSED, limit=PAGE),
        tests=sandbox.REFUSALS,
        reasons=await reasons.list_(ctx.db.read) if app.is_test else {},
        owners=await accounts.list_owners(ctx.db.read, app.id),
        events=(await events.list_(ctx.db.scan, Subject.APP, app.id))[::-1][:20],
        state=state,
        q=text,
        overlaps=OVERLAPS_H,
        callbacks=await _endpoints(ctx, app),
        formats=list(FORMATS),
        done=ctx.done("created", "saved", "used", "deleted"),
    )


async def _endpoints(ctx: Context, app: App) -> list[Endpoint]:
    found = await callbacks.list_(ctx.db.read, app.id)
    return [Endpoint(each, await outbox.count(ctx.db.scan, each.id)) for each in found]


def int_of(text: str) -> int:
    """Return a small number from a form or an address, or 0 for whatever is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
