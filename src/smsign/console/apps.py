"""For owners: their applications, and the settings of one."""

from __future__ import annotations

import msgspec

from smsign.actions import apps as actions
from smsign.console.me import confirm
from smsign.console.visit import HOME, Visit
from smsign.domain import testing
from smsign.domain.accounts import Role
from smsign.domain.apps import App
from smsign.domain.callbacks import Callback
from smsign.domain.events import Subject
from smsign.domain.forms import FORMS
from smsign.domain.signatures import ID_MAX, Status
from smsign.errors import InvalidInput
from smsign.storage import accounts, callbacks, events, outbox, reasons
from smsign.storage import apps as rows
from smsign.storage import signatures as signature_rows
from smsign.storage.outbox import Backlog
from smsign.web.wire import Response

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


async def list_(visit: Visit) -> Response:
    """List one's own applications, or for an admin all of them."""
    after, text = int_of(visit.query.get("after", "")), visit.query.get("q", "")[:64]
    if visit.person.has(Role.ADMIN):
        found = await rows.list_found(visit.db.scan, text, after=after, limit=PAGE + 1)
    else:
        found = await rows.list_owned(visit.db.scan, visit.person.id, after=after, limit=PAGE + 1)
    ids = [app.id for app in found[:PAGE]]
    counts = await signature_rows.count_by_status(visit.db.scan, ids)
    used = await signature_rows.list_in_use(visit.db.scan, ids)
    cards = [Card(app, counts[app.id], used.get(app.id)) for app in found[:PAGE]]
    more = found[PAGE - 1].id if len(found) > PAGE else None
    return visit.page("apps.html", cards=cards, more=more, q=text, after=after, error=None)


async def create(visit: Visit) -> Response:
    """Make an application that belongs to this person; one for tests, if that is ticked."""
    fields = await visit.fields()
    is_test = fields.get("test") == "1"
    app = await actions.create(
        visit.db,
        visit.service.vault,
        name=fields.get("name", "").strip(),
        keys=actions.make_keys(),
        use_by_hand=False,
        test_delay_ms=int_of(fields.get("delay_ms", "")) if is_test else None,
        actor=visit.person.actor,
        now=visit.now,
        owner=visit.person.id if visit.person.has(Role.OWNER) else None,
    )
    return visit.go(f"{HOME}/apps/{app.id}", done="created")


async def show(visit: Visit, app: int) -> Response:
    """Show an application: its signatures, keys and settings."""
    return await _page(visit, await visit.app(app))


async def show_secret(visit: Visit, app: int) -> Response:
    """Show the masterSecret to one who gave the password again; the ledger records it."""
    found = await visit.app(app)
    await confirm(visit, (await visit.fields()).get("password", ""))
    secret = await actions.show_secret(
        visit.db, visit.service.vault, app=found, actor=visit.person.actor, now=visit.now
    )
    return await _page(visit, found, secret=secret)


async def rotate(visit: Visit, app: int) -> Response:
    """Give the application a new masterSecret, and show it."""
    found, fields = await visit.app(app), await visit.fields()
    await confirm(visit, fields.get("password", ""))
    hours = int_of(fields.get("overlap", ""))
    if hours not in OVERLAPS_H:
        raise InvalidInput("overlap: choose one of the list", "请从列表中选择重叠时间")
    keys = await actions.rotate(
        visit.db,
        visit.service.vault,
        app=found,
        overlap_s=hours * 3600,
        actor=visit.person.actor,
        now=visit.now,
    )
    return await _page(visit, await visit.app(app), secret=keys.master_secret)


async def use(visit: Visit, app: int) -> Response:
    """Put a signature in use, or none."""
    found = await visit.app(app)
    wanted = int_of((await visit.fields()).get("signature", ""))
    await actions.use(
        visit.db, app=found, signature_id=wanted or None, actor=visit.person.actor, now=visit.now
    )
    return visit.go(f"{HOME}/apps/{app}", done="used")


async def switch(visit: Visit, app: int) -> Response:
    """Set whether what passes is used at once or when its owner says so."""
    by_hand = (await visit.fields()).get("by_hand") == "1"
    await actions.set_by_hand(
        visit.db, app=await visit.app(app), use_by_hand=by_hand, actor=visit.person.actor, now=visit.now
    )
    return visit.go(f"{HOME}/apps/{app}", done="saved")


async def open_(visit: Visit, app: int) -> Response:
    """Open or close the SMS service."""
    sms_open = (await visit.fields()).get("open") == "1"
    await actions.set_open(
        visit.db, app=await visit.app(app), sms_open=sms_open, actor=visit.person.actor, now=visit.now
    )
    return visit.go(f"{HOME}/apps/{app}", done="saved")


async def add_owner(visit: Visit, app: int) -> Response:
    """Make another person an owner."""
    name = (await visit.fields()).get("name", "").strip().lower()
    await actions.add_owner(
        visit.db, app=await visit.app(app), name=name, actor=visit.person.actor, now=visit.now
    )
    return visit.go(f"{HOME}/apps/{app}", done="saved")


async def remove_owner(visit: Visit, app: int, account: int) -> Response:
    """Take the application from a person."""
    await actions.remove_owner(
        visit.db,
        app=await visit.app(app),
        account=await accounts.get(visit.db.read, account),
        actor=visit.person.actor,
        now=visit.now,
    )
    return visit.go(f"{HOME}/apps/{app}", done="saved")


async def _page(visit: Visit, app: App, *, secret: str | None = None) -> Response:
    state, text = visit.query.get("state", ""), visit.query.get("q", "")[:64]
    before = int_of(visit.query.get("before", "")) or ID_MAX + 1
    found = await signature_rows.list_of_app(
        visit.db.scan,
        app.id,
        status=STATES.get(state),
        pattern=rows.containing(text),
        before=before,
        limit=PAGE + 1,
    )
    used = None
    if app.in_use_id is not None:
        used = await signature_rows.find(visit.db.read, app.id, app.in_use_id)
    return visit.page(
        "app.html",
        app=app,
        secret=secret,
        signatures=found[:PAGE],
        more=found[PAGE - 1].id if len(found) > PAGE else None,
        counts=(await signature_rows.count_by_status(visit.db.read, [app.id]))[app.id],
        used=used,
        passed=await signature_rows.list_of_app(visit.db.scan, app.id, status=Status.PASSED, limit=PAGE),
        tests=testing.REFUSALS,
        reasons=await reasons.list_(visit.db.read) if app.is_test else {},
        owners=await accounts.list_owners(visit.db.read, app.id),
        events=(await events.list_(visit.db.scan, Subject.APP, app.id))[::-1][:20],
        state=state,
        q=text,
        overlaps=OVERLAPS_H,
        callbacks=await _endpoints(visit, app),
        forms=list(FORMS),
        done=visit.done("created", "saved", "used", "deleted"),
    )


async def _endpoints(visit: Visit, app: App) -> list[Endpoint]:
    found = await callbacks.list_(visit.db.read, app.id)
    return [Endpoint(each, await outbox.count(visit.db.scan, each.id)) for each in found]


def int_of(text: str) -> int:
    """Return a small number from a form or an address, or 0 for whatever is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
