"""For admins: accounts and the links that make them, and the texts of the coded reasons."""

from __future__ import annotations

from smsign.actions import accounts as actions
from smsign.actions import reasons as reason_actions
from smsign.console.apps import int_of
from smsign.console.visit import HOME, Visit
from smsign.domain import accounts
from smsign.domain.accounts import Role
from smsign.domain.events import Subject
from smsign.errors import Text
from smsign.storage import accounts as rows
from smsign.storage import events, reasons
from smsign.web.wire import Response

PAGE = 100


async def list_accounts(visit: Visit) -> Response:
    """List accounts, and the invitations that still wait."""
    return await _accounts(visit, link=None)


async def invite(visit: Visit) -> Response:
    """Make a link for a new person, shown this once."""
    fields = await visit.form()
    roles = accounts.check_roles(fields.get("role", []))
    app = int_of(fields.get("app", [""])[-1])
    if app:
        await visit.app(app)
    token = await actions.invite(
        visit.db, roles=roles, actor=visit.person.actor, now=visit.now, app_id=app or None
    )
    return await _accounts(visit, link=f"{visit.origin}{HOME}/welcome/{token}")


async def show_account(visit: Visit, account: int) -> Response:
    """Show one account."""
    return await _account(visit, account, link=None)


async def change_account(visit: Visit, account: int) -> Response:
    """Set what a person may do."""
    fields = await visit.form()
    await actions.update(
        visit.db,
        account_id=account,
        roles=accounts.check_roles(fields.get("role", [])),
        enabled=fields.get("enabled", [""])[-1] == "1",
        actor=visit.person.actor,
        now=visit.now,
    )
    return visit.go(f"{HOME}/accounts/{account}", done="saved")


async def make_link(visit: Visit, account: int) -> Response:
    """Make a link with which a person sets a new password, shown this once."""
    found = await rows.get(visit.db.read, account)
    token = await actions.invite(
        visit.db, roles=found.roles, actor=visit.person.actor, now=visit.now, account_id=account
    )
    return await _account(visit, account, link=f"{visit.origin}{HOME}/welcome/{token}")


async def list_reasons(visit: Visit) -> Response:
    """Show the coded reasons with their texts."""
    known = await reasons.list_(visit.db.read)
    return visit.page("reasons.html", reasons=known, done=visit.done("saved"))


async def change_reason(visit: Visit) -> Response:
    """Set the texts of one."""
    fields = await visit.fields()
    title, advice = (
        Text(fields.get(f"{name}_en", "").strip(), fields.get(f"{name}_zh", "").strip())
        for name in ("title", "advice")
    )
    await reason_actions.change(
        visit.db,
        code=fields.get("code", ""),
        title=title,
        advice=advice,
        actor=visit.person.actor,
        now=visit.now,
    )
    return visit.go(f"{HOME}/reasons", done="saved")


async def _accounts(visit: Visit, *, link: str | None) -> Response:
    after = visit.query.get("after", "")[:64]
    found = await rows.list_(visit.db.scan, after=after, limit=PAGE + 1)
    return visit.page(
        "accounts.html",
        accounts=found[:PAGE],
        more=found[PAGE - 1].name if len(found) > PAGE else None,
        invitations=await rows.list_invitations(visit.db.read, now=visit.now),
        roles=list(Role),
        link=link,
    )


async def _account(visit: Visit, account: int, *, link: str | None) -> Response:
    return visit.page(
        "account.html",
        person=await rows.get(visit.db.read, account),
        sessions=await rows.list_sessions(visit.db.read, account),
        events=(await events.list_(visit.db.scan, Subject.ACCOUNT, account))[::-1][:20],
        roles=list(Role),
        link=link,
        done=visit.done("saved"),
    )
