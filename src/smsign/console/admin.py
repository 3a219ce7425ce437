"""For admins: accounts, invitations, and the texts of the refusal reasons."""

from __future__ import annotations

from smsign.actions import accounts as actions
from smsign.actions import reasons as reason_actions
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
    """List accounts and open invitations."""
    return await _accounts(ctx)


async def invite(ctx: Context) -> Response:
    """Create an invitation for a new account, and show its link once."""
    form = await ctx.form()
    roles = accounts.check_roles(form.all("role"))
    app_id = form.number("app") or None
    if app_id:
        await ctx.app(app_id)
    token = await actions.invite(ctx.db, roles=roles, actor=ctx.user.actor, now=ctx.now, app_id=app_id)
    return await _accounts(ctx, token=token)


async def show_account(ctx: Context, account: int) -> Response:
    """Show one account."""
    return await _account(ctx, account)


async def change_account(ctx: Context, account: int) -> Response:
    """Set the roles of an account, and whether it can sign in."""
    form = await ctx.form()
    await actions.update(
        ctx.db,
        account_id=account,
        roles=accounts.check_roles(form.all("role")),
        enabled=form["enabled"] == "1",
        actor=ctx.user.actor,
        now=ctx.now,
    )
    return ctx.redirect(f"{HOME}/accounts/{account}", notice="saved")


async def reset_password(ctx: Context, account: int) -> Response:
    """Create an invitation to set a new password, and show its link once."""
    roles = (await rows.get(ctx.db.read, account)).roles
    token = await actions.invite(ctx.db, roles=roles, actor=ctx.user.actor, now=ctx.now, account_id=account)
    return await _account(ctx, account, token=token)


async def list_reasons(ctx: Context) -> Response:
    """Show the refusal reasons with their texts."""
    return ctx.page("reasons.html", reasons=await reasons.list_(ctx.db.read), notice=ctx.notice("saved"))


async def change_reason(ctx: Context) -> Response:
    """Set the texts of one reason."""
    form = await ctx.form()
    title, advice = (
        Text(form[f"{name}_en"].strip(), form[f"{name}_zh"].strip()) for name in ("title", "advice")
    )
    await reason_actions.change(
        ctx.db, code=form["code"], title=title, advice=advice, actor=ctx.user.actor, now=ctx.now
    )
    return ctx.redirect(f"{HOME}/reasons", notice="saved")


async def _accounts(ctx: Context, *, token: str = "") -> Response:
    found = await rows.list_(ctx.db.scan, after=ctx.query["after"][:64], limit=PAGE + 1)
    return ctx.page(
        "accounts.html",
        accounts=found[:PAGE],
        more=found[PAGE - 1].name if len(found) > PAGE else None,
        invitations=await rows.list_invitations(ctx.db.read, now=ctx.now),
        roles=list(Role),
        link=_link(ctx, token),
    )


async def _account(ctx: Context, account: int, *, token: str = "") -> Response:
    return ctx.page(
        "account.html",
        account=await rows.get(ctx.db.read, account),
        sessions=await rows.list_sessions(ctx.db.read, account),
        events=(await events.list_(ctx.db.scan, Subject.ACCOUNT, account))[::-1][:20],
        roles=list(Role),
        link=_link(ctx, token),
        notice=ctx.notice("saved"),
    )


def _link(ctx: Context, token: str) -> str:
    return f"{ctx.origin}{HOME}/welcome/{token}" if token else ""
