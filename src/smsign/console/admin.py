"""For admins: accounts and the links that make them, and the texts of the coded reasons."""

from __future__ import annotations

from smsign.actions import accounts as actions
from smsign.actions import reasons as reason_actions
from smsign.console.apps import int_of
from smsign.console.context import HOME, Context
from smsign.domain import accounts
from smsign.domain.accounts import Role
from smsign.domain.events import Subject
from smsign.errors import Text
from smsign.http.wire import Response
from smsign.storage.rows import accounts as rows
from smsign.storage.rows import events, reasons

PAGE = 100


async def list_accounts(ctx: Context) -> Response:
    """List accounts, and the invitations that still wait."""
    return await _accounts(ctx, link=None)


async def invite(ctx: Context) -> Response:
    """Make a link for a new person, shown this once."""
    fields = await ctx.form()
    roles = accounts.check_roles(fields.get("role", []))
    app = int_of(fields.get("app", [""])[-1])
    if app:
        await ctx.app(app)
    token = await actions.invite(ctx.db, roles=roles, actor=ctx.person.actor, now=ctx.now, app_id=app or None)
    return await _accounts(ctx, link=f"{ctx.origin}{HOME}/welcome/{token}")


async def show_account(ctx: Context, account: int) -> Response:
    """Show one account."""
    return await _account(ctx, account, link=None)


async def change_account(ctx: Context, account: int) -> Response:
    """Set what a person may do."""
    fields = await ctx.form()
    await actions.update(
        ctx.db,
        account_id=account,
        roles=accounts.check_roles(fields.get("role", [])),
        enabled=fields.get("enabled", [""])[-1] == "1",
        actor=ctx.person.actor,
        now=ctx.now,
    )
    return ctx.go(f"{HOME}/accounts/{account}", done="saved")


async def make_link(ctx: Context, account: int) -> Response:
    """Make a link with which a person sets a new password, shown this once."""
    found = await rows.get(ctx.db.read, account)
    token = await actions.invite(
        ctx.db, roles=found.roles, actor=ctx.person.actor, now=ctx.now, account_id=account
    )
    return await _account(ctx, account, link=f"{ctx.origin}{HOME}/welcome/{token}")


async def list_reasons(ctx: Context) -> Response:
    """Show the coded reasons with their texts."""
    known = await reasons.list_(ctx.db.read)
    return ctx.page("reasons.html", reasons=known, done=ctx.done("saved"))


async def change_reason(ctx: Context) -> Response:
    """Set the texts of one."""
    fields = await ctx.fields()
    title, advice = (
        Text(fields.get(f"{name}_en", "").strip(), fields.get(f"{name}_zh", "").strip())
        for name in ("title", "advice")
    )
    await reason_actions.change(
        ctx.db,
        code=fields.get("code", ""),
        title=title,
        advice=advice,
        actor=ctx.person.actor,
        now=ctx.now,
    )
    return ctx.go(f"{HOME}/reasons", done="saved")


async def _accounts(ctx: Context, *, link: str | None) -> Response:
    after = ctx.query.get("after", "")[:64]
    found = await rows.list_(ctx.db.scan, after=after, limit=PAGE + 1)
    return ctx.page(
        "accounts.html",
        accounts=found[:PAGE],
        more=found[PAGE - 1].name if len(found) > PAGE else None,
        invitations=await rows.list_invitations(ctx.db.read, now=ctx.now),
        roles=list(Role),
        link=link,
    )


async def _account(ctx: Context, account: int, *, link: str | None) -> Response:
    return ctx.page(
        "account.html",
        person=await rows.get(ctx.db.read, account),
        sessions=await rows.list_sessions(ctx.db.read, account),
        events=(await events.list_(ctx.db.scan, Subject.ACCOUNT, account))[::-1][:20],
        roles=list(Role),
        link=link,
        done=ctx.done("saved"),
    )
