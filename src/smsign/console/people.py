"""In and out: sign-in, the second factor, links that make an account, and what a visitor may choose."""

from __future__ import annotations

import logging

from smsign.actions import accounts as actions
from smsign.actions import totp
from smsign.console import pages
from smsign.console.context import HOME, Context, not_here
from smsign.domain.accounts import Account, Role
from smsign.errors import InvalidInput, SetupError
from smsign.http.wire import Response
from smsign.storage.rows import accounts as rows

log = logging.getLogger(__name__)

SESSION = "smsign_session"
PENDING = "smsign_pending"
PENDING_S = 300
NAMES = 5
"""An address may guess that many times as often over all names as for one: an office has many people."""
YEAR_S = 365 * 86_400
CHOICES = {"language": ("en", "zh"), "theme": ("light", "dark", "")}
_WRONG = InvalidInput("that name and password do not belong together", "用户名或密码不正确")


async def home(ctx: Context) -> Response:
    """Send each person to where their work is."""
    if ctx.account is None:
        return ctx.go(f"{HOME}/sign-in")
    return ctx.go(landing(ctx.account))


def landing(account: Account) -> str:
    """Return the page that a person starts from."""
    if account.has(Role.AUDITOR):
        return f"{HOME}/desk"
    return f"{HOME}/apps" if account.has(Role.OWNER) else f"{HOME}/figures"


async def static(ctx: Context, name: str) -> Response:
    """Answer a file that pages link to."""
    if name not in pages.static():
        raise not_here()
    kind, body = pages.static()[name]
    cache = b"public, max-age=31536000, immutable"
    guard = (b"x-content-type-options", b"nosniff")
    return Response(200, body, ((b"content-type", kind), (b"cache-control", cache), guard))


async def choose(ctx: Context) -> Response:
    """Keep a visitor's language or theme, and go back to where they were."""
    for name, value in (await ctx.fields()).items():
        if value in CHOICES.get(name, ()):
            ctx.set_cookie(f"smsign_{name}", value, age_s=YEAR_S)
    return ctx.go(ctx.back(HOME))


async def show_sign_in(ctx: Context) -> Response:
    """Ask for name and password."""
    return ctx.page("sign_in.html", to=ctx.query.get("to", ""), name="", error=None)


async def sign_in(ctx: Context) -> Response:
    """Start a session, or ask for the second factor first."""
    fields = await ctx.fields()
    name, to = fields.get("name", "").strip().lower(), fields.get("to", "")
    throttle, address, now_s = ctx.service.throttle, ctx.request.address, ctx.now / 1e6
    throttle.check(f"sign-in:{name}", address, now_s)
    throttle.check("sign-in", address, now_s, times=NAMES)
    account = await actions.check_password(ctx.db, name=name, password=fields.get("password", ""))
    if account is None:
        throttle.failed(f"sign-in:{name}", address, now_s)
        throttle.failed("sign-in", address, now_s)
        log.info("sign-in failed", extra={"address": address, "request_id": ctx.request.id})
        return ctx.page("sign_in.html", status=401, to=to, name=name, error=_WRONG.text)
    if account.has_totp:
        sealed = ctx.service.vault.seal(f"{account.id}:{ctx.now}:{to}", app_key=PENDING)
        ctx.set_cookie(PENDING, sealed.hex(), age_s=PENDING_S)
        return ctx.go(f"{HOME}/sign-in/code")
    return await start(ctx, account, to)


async def show_code(ctx: Context) -> Response:
    """Ask for the second factor."""
    await _pending(ctx)
    return ctx.page("code.html", error=None)


async def check_code(ctx: Context) -> Response:
    """Start a session for one who has the second factor too."""
    account, to = await _pending(ctx)
    key, address, now_s = f"code:{account.id}", ctx.request.address, ctx.now / 1e6
    ctx.service.throttle.check(key, address, now_s)
    code = (await ctx.fields()).get("code", "")
    if not await totp.check(ctx.db, ctx.service.vault, account=account, code=code, now=ctx.now):
        ctx.service.throttle.failed(key, address, now_s)
        wrong = InvalidInput("not the code of this moment, nor a recovery code", "验证码或恢复码不正确")
        return ctx.page("code.html", status=401, error=wrong.text)
    ctx.set_cookie(PENDING, "")
    return await start(ctx, account, to)


async def sign_out(ctx: Context) -> Response:
    """End the session."""
    if ctx.account is not None:
        await actions.sign_out(ctx.db, account=ctx.account, session_id=ctx.session_id)
    ctx.set_cookie(SESSION, "")
    return ctx.go(f"{HOME}/sign-in")


async def show_welcome(ctx: Context, token: str) -> Response:
    """Show what an invitation is for."""
    return await _welcome(ctx, token, name="", error=None)


async def welcome(ctx: Context, token: str) -> Response:
    """Use an invitation, and sign the person in."""
    fields = await ctx.fields()
    name = fields.get("name", "").strip().lower()
    try:
        account = await actions.accept(
            ctx.db, token=token, name=name, password=fields.get("password", ""), now=ctx.now
        )
    except InvalidInput as error:
        return await _welcome(ctx, token, name=name, error=error)
    return await start(ctx, account, "") if not account.has_totp else ctx.go(f"{HOME}/sign-in")


async def start(ctx: Context, account: Account, to: str) -> Response:
    """Start a session under a new token, whatever the browser had before."""
    if ctx.account is not None:
        leaves = ctx.account.id != account.id
        await actions.sign_out(ctx.db, account=ctx.account, session_id=ctx.session_id, leaves=leaves)
    token = await actions.sign_in(
        ctx.db,
        account=account,
        address=ctx.request.address,
        agent=ctx.request.header(b"user-agent"),
        now=ctx.now,
    )
    ctx.set_cookie(SESSION, token)
    return ctx.go(to if to.startswith(f"{HOME}/") and to.isprintable() else landing(account))


async def _welcome(ctx: Context, token: str, *, name: str, error: InvalidInput | None) -> Response:
    invitation = await rows.find_invitation(ctx.db.read, actions.token_hash(token), now=ctx.now)
    known = None
    if invitation is not None and invitation.account_id is not None:
        known = await rows.get(ctx.db.read, invitation.account_id)
    return ctx.page(
        "welcome.html",
        status=404 if invitation is None else 422 if error else 200,
        invitation=invitation,
        known=known,
        name=name,
        error=error.text if error else None,
    )


async def _pending(ctx: Context) -> tuple[Account, str]:
    """Return who gave the right password within the last minutes.

    Raises: InvalidInput.
    """
    try:
        sealed = bytes.fromhex(ctx.cookies.get(PENDING, ""))
        text = ctx.service.vault.unseal(sealed, app_key=PENDING)
        number, at, to = text.split(":", 2)
    except (ValueError, SetupError):
        number, at, to = "0", "0", ""
    if int(at) < ctx.now - PENDING_S * 1_000_000:
        raise InvalidInput("the sign-in took too long; start again", "登录超时，请重新登录")
    return await rows.get(ctx.db.read, int(number)), to
