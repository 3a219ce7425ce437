"""The user's own account: password, two-factor authentication, sessions."""

from __future__ import annotations

import io

import segno

from smsign.actions import accounts as actions
from smsign.actions import sessions, totp
from smsign.console.context import HOME, Context, Values
from smsign.console.session import verify_code
from smsign.errors import InvalidInput, SetupError
from smsign.http.wire import Response
from smsign.storage.rows import accounts as rows
from smsign.storage.rows import events

ME = f"{HOME}/me"
RECENT_US = 300_000_000
SECURITY_EVENTS = 10
_ENROLMENT = "enrolment"


async def show(ctx: Context) -> Response:
    """Show the user's own account."""
    listed = await rows.list_sessions(ctx.db.read, ctx.user.id)
    noticed = await events.list_security(ctx.db.scan, ctx.user.id, limit=SECURITY_EVENTS)
    return ctx.page("me.html", sessions=listed, noticed=noticed, notice=ctx.notice("saved"))


async def change_password(ctx: Context) -> Response:
    """Set a new password; other sessions end."""
    form = await ctx.form()
    await confirm_password(ctx, form["old"])
    await actions.change_password(
        ctx.db, account=ctx.user, password=form["password"], keep=ctx.session_id, now=ctx.now
    )
    return ctx.redirect(ME, notice="saved")


async def show_totp(ctx: Context) -> Response:
    """Show a new secret for an authenticator app."""
    return _show_totp(ctx, totp.make_secret(), error=None)


async def turn_on_totp(ctx: Context) -> Response:
    """Turn two-factor authentication on if the code is correct, and show the recovery codes.

    Like any change of it, this needs the password and a code of the factor that is on.
    """
    form = await ctx.form()
    try:
        sealed = bytes.fromhex(form["sealed"])
        secret = ctx.service.vault.unseal(sealed, app_key=f"{_ENROLMENT}:{ctx.user.id}")
    except (ValueError, SetupError):
        raise InvalidInput("code: start the set-up again", "请重新开始设置") from None
    try:
        totp.find_step(secret, form["code"], ctx.now)  # before the other code is used up
        await _confirm(ctx, form)
        codes = await totp.turn_on(
            ctx.db, ctx.service.vault, account=ctx.user, secret=secret, code=form["code"], now=ctx.now
        )
    except InvalidInput as error:
        return _show_totp(ctx, secret, error=error)
    return ctx.page("recovery.html", codes=codes)


async def turn_off_totp(ctx: Context) -> Response:
    """Turn two-factor authentication off."""
    await _confirm(ctx, await ctx.form())
    await totp.turn_off(ctx.db, account=ctx.user, actor=ctx.user.actor, now=ctx.now)
    return ctx.redirect(ME, notice="saved")


async def end_session(ctx: Context, session: int) -> Response:
    """End one of the user's sessions."""
    own = session == ctx.session_id
    await sessions.sign_out(ctx.db, account=ctx.user, session_id=session, release=own)
    return ctx.redirect(ME, notice="saved")


async def confirm_password(ctx: Context, password: str) -> None:
    """Check the password once more before a sensitive action; without one, the sign-in must be recent.

    Raises: InvalidInput for a wrong password, ApiError 50009 after too many failures.
    """
    if not ctx.user.password:  # signed in by single sign-on only
        if ctx.session is None or ctx.session.created_at < ctx.now - RECENT_US:
            raise InvalidInput(
                "sign out and sign in again to confirm your identity", "请先退出并重新登录以确认身份"
            )
        return
    key, address, now_s = f"confirm:{ctx.user.id}", ctx.request.address, ctx.now / 1e6
    ctx.service.throttle.check(key, address, now_s)
    if await sessions.authenticate(ctx.db, name=ctx.user.name, password=password) is None:
        ctx.service.throttle.failed(key, address, now_s)
        raise InvalidInput("password: incorrect", "密码：不正确")


async def _confirm(ctx: Context, form: Values) -> None:
    """Check the password and, if it is on, the second factor.

    Raises: InvalidInput; ApiError 50009.
    """
    await confirm_password(ctx, form["password"])
    if ctx.user.has_totp and (error := await verify_code(ctx, ctx.user, form["old_code"])):
        raise error


def _show_totp(ctx: Context, secret: str, *, error: InvalidInput | None) -> Response:
    image = io.BytesIO()
    code = segno.make(totp.make_uri(secret, name=ctx.user.name))
    code.save(image, kind="svg", xmldecl=False, svgns=False, omitsize=True, border=2, svgclass="qr")
    return ctx.page(
        "totp.html",
        status=422 if error else 200,
        secret=secret,
        sealed=ctx.service.vault.seal(secret, app_key=f"{_ENROLMENT}:{ctx.user.id}").hex(),
        qr=image.getvalue().decode(),
        error=error.text if error else None,
    )
