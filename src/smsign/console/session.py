"""Sign-in, two-factor authentication, invitations, sign-out; and the visitor's language and theme."""

from __future__ import annotations

import logging

from smsign.actions import accounts as actions
from smsign.actions import sessions, totp
from smsign.actions.passwords import token_hash
from smsign.console import pages
from smsign.console.context import HOME, Context, not_found
from smsign.domain.accounts import CODES_MAX, Account, Role
from smsign.errors import InvalidInput, SetupError
from smsign.http.throttle import too_many_failures
from smsign.http.wire import Response
from smsign.storage.rows import accounts as rows

log = logging.getLogger(__name__)

SESSION = "smsign_session"
PENDING = "smsign_pending"
PENDING_S = 300
ADDRESS_FACTOR = 5
"""An address may fail this many times as often over all names as for one: offices share addresses."""
YEAR_S = 365 * 86_400
CHOICES = {"language": ("en", "zh"), "theme": ("light", "dark", "")}


async def home(ctx: Context) -> Response:
    """Redirect to the start page of the account, or to the sign-in."""
    return ctx.redirect(start_page(ctx.account) if ctx.account else f"{HOME}/sign-in")


def start_page(account: Account) -> str:
    """Return the page that an account starts from."""
    if account.has(Role.AUDITOR):
        return f"{HOME}/desk"
    return f"{HOME}/apps" if account.has(Role.OWNER) else f"{HOME}/statistics"


async def static(ctx: Context, name: str) -> Response:
    """Serve a static file."""
    if name not in pages.static():
        raise not_found()
    kind, body = pages.static()[name]
    cache = b"public, max-age=31536000, immutable"
    nosniff = (b"x-content-type-options", b"nosniff")
    return Response(200, body, ((b"content-type", kind), (b"cache-control", cache), nosniff))


async def set_preferences(ctx: Context) -> Response:
    """Store the language or the theme in a cookie, and return to the previous page."""
    form = await ctx.form()
    for name, choices in CHOICES.items():
        if name in form and form[name] in choices:
            ctx.set_cookie(f"smsign_{name}", form[name], age_s=YEAR_S)
    return ctx.redirect(ctx.previous_page())


async def show_sign_in(ctx: Context) -> Response:
    """Show the sign-in form."""
    return ctx.page("sign_in.html", to=ctx.query["to"], name="", error=None)


async def sign_in(ctx: Context) -> Response:
    """Check name and password; start a session, or require the second factor first."""
    form = await ctx.form()
    name, to = form["name"].strip().lower(), form["to"]
    throttle, address, now_s = ctx.service.throttle, ctx.request.address, ctx.now / 1e6
    throttle.check(f"sign-in:{name}", address, now_s)
    throttle.check("sign-in", address, now_s, times=ADDRESS_FACTOR)
    account = await sessions.authenticate(ctx.db, name=name, password=form["password"])
    if account is None:
        throttle.failed(f"sign-in:{name}", address, now_s)
        throttle.failed("sign-in", address, now_s)
        log.info("sign-in failed", extra={"address": address, "request_id": ctx.request.id})
        wrong = InvalidInput("wrong username or password", "用户名或密码不正确")
        return ctx.page("sign_in.html", status=401, to=to, name=name, error=wrong.text)
    if account.has_totp:
        factor = await rows.find_totp(ctx.db.read, account.id)
        failures = factor.failures if factor else 0
        text = f"{account.id}:{ctx.now}:{failures}:{to}"
        sealed = ctx.service.vault.seal(text, app_key=PENDING)
        ctx.set_cookie(PENDING, sealed.hex(), age_s=PENDING_S)
        return ctx.redirect(f"{HOME}/sign-in/code")
    return await start_session(ctx, account, to)


async def show_code(ctx: Context) -> Response:
    """Show the form for the second factor."""
    await _pending_sign_in(ctx)
    return ctx.page("code.html", error=None)


async def check_code(ctx: Context) -> Response:
    """Check the second factor, and start a session."""
    account, failures, to = await _pending_sign_in(ctx)
    error = await verify_code(ctx, account, (await ctx.form())["code"], failures=failures)
    if error is not None:
        return ctx.page("code.html", status=401, error=error.text)
    ctx.set_cookie(PENDING, "")
    return await start_session(ctx, account, to)


async def verify_code(
    ctx: Context, account: Account, code: str, *, failures: int | None = None
) -> InvalidInput | None:
    """Return why a code of the second factor is wrong, or None.

    `failures` is how many codes had failed when the password was given.

    Raises: ApiError 50009 while no code is checked; InvalidInput if the password must be given again.
    """
    found = await totp.check(ctx.db, ctx.service.vault, account=account, code=code, now=ctx.now)
    if found.correct:
        return None
    extra = {"address": ctx.request.address, "account": account.name, "request_id": ctx.request.id}
    if found.wait_s:
        log.info("second factor throttled", extra=extra)
        raise too_many_failures(found.wait_s)
    log.info("second factor failed", extra=extra | {"failures": found.failures})
    if failures is not None and found.failures - failures >= CODES_MAX:
        ctx.set_cookie(PENDING, "")
        raise InvalidInput(
            f"{CODES_MAX} wrong codes; sign in again with your password",
            f"验证码已输错 {CODES_MAX} 次，请重新登录",
        )
    return InvalidInput("wrong verification or recovery code", "验证码或恢复码不正确")


async def sign_out(ctx: Context) -> Response:
    """End the session."""
    if ctx.account is not None:
        await sessions.sign_out(ctx.db, account=ctx.account, session_id=ctx.session_id)
    ctx.set_cookie(SESSION, "")
    return ctx.redirect(f"{HOME}/sign-in")


async def show_invitation(ctx: Context, token: str) -> Response:
    """Show an invitation: a form for a new account, or for a new password."""
    return await _invitation(ctx, token, name="", error=None)


async def accept(ctx: Context, token: str) -> Response:
    """Create the account of an invitation, or set its password; then start a session."""
    form = await ctx.form()
    name = form["name"].strip().lower()
    try:
        account = await actions.accept(ctx.db, token=token, name=name, password=form["password"], now=ctx.now)
    except InvalidInput as error:
        return await _invitation(ctx, token, name=name, error=error)
    return ctx.redirect(f"{HOME}/sign-in") if account.has_totp else await start_session(ctx, account, "")


async def start_session(ctx: Context, account: Account, to: str) -> Response:
    """Start a session under a new token, end the one before, and redirect to the page `to`."""
    if ctx.account is not None:
        other = ctx.account.id != account.id
        await sessions.sign_out(ctx.db, account=ctx.account, session_id=ctx.session_id, release=other)
    token = await sessions.sign_in(
        ctx.db,
        account=account,
        address=ctx.request.address,
        agent=ctx.request.header(b"user-agent"),
        now=ctx.now,
    )
    ctx.set_cookie(SESSION, token)
    return ctx.redirect(to if to.startswith(f"{HOME}/") and to.isprintable() else start_page(account))


async def _invitation(ctx: Context, token: str, *, name: str, error: InvalidInput | None) -> Response:
    invitation = await rows.find_invitation(ctx.db.read, token_hash(token), now=ctx.now)
    account = None
    if invitation is not None and invitation.account_id is not None:
        account = await rows.get(ctx.db.read, invitation.account_id)
    return ctx.page(
        "invitation.html",
        status=404 if invitation is None else 422 if error else 200,
        invitation=invitation,
        account=account,
        name=name,
        error=error.text if error else None,
    )


async def _pending_sign_in(ctx: Context) -> tuple[Account, int, str]:
    """Return the account whose password was correct within the last minutes, and the page to open.

    Between them is how many codes of the account had failed when the password was given.

    Raises: InvalidInput.
    """
    try:
        sealed = bytes.fromhex(ctx.cookies.get(PENDING, ""))
        text = ctx.service.vault.unseal(sealed, app_key=PENDING)
        number, at, failures, to = text.split(":", 3)
    except (ValueError, SetupError):
        number, at, failures, to = "0", "0", "0", ""
    if int(at) < ctx.now - PENDING_S * 1_000_000:
        raise InvalidInput("the sign-in has timed out; start again", "登录超时，请重新登录")
    return await rows.get(ctx.db.read, int(number)), int(failures), to
