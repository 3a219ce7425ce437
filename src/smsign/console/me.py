"""A person's own page: password, second factor, sessions."""

from __future__ import annotations

import io

import segno

from smsign.actions import accounts as actions
from smsign.actions import totp
from smsign.console.context import HOME, Context
from smsign.errors import InvalidInput, SetupError
from smsign.http.wire import Response
from smsign.storage.rows import accounts as rows

ME = f"{HOME}/me"
FRESH_US = 300_000_000
_ENROLMENT = "enrolment"


async def show(ctx: Context) -> Response:
    """Show the person's own settings."""
    sessions = await rows.list_sessions(ctx.db.read, ctx.person.id)
    return ctx.page("me.html", sessions=sessions, done=ctx.done("password", "totp", "session", "sso"))


async def change_password(ctx: Context) -> Response:
    """Set a new password; other sessions end."""
    fields = await ctx.fields()
    await confirm(ctx, fields.get("old", ""))
    await actions.change_password(
        ctx.db,
        account=ctx.person,
        password=fields.get("password", ""),
        keep=ctx.session_id,
        now=ctx.now,
    )
    return ctx.go(ME, done="password")


async def show_totp(ctx: Context) -> Response:
    """Show a new secret for an authenticator app; it counts once a code of it came back."""
    return _show_totp(ctx, totp.make_secret(), error=None)


async def turn_on_totp(ctx: Context) -> Response:
    """Turn the second factor on, and show the recovery codes this once."""
    fields = await ctx.fields()
    try:
        sealed = bytes.fromhex(fields.get("sealed", ""))
        secret = ctx.service.vault.unseal(sealed, app_key=f"{_ENROLMENT}:{ctx.person.id}")
    except (ValueError, SetupError):
        raise InvalidInput("code: start again", "请重新开始") from None
    try:
        codes = await totp.turn_on(
            ctx.db,
            ctx.service.vault,
            account=ctx.person,
            secret=secret,
            code=fields.get("code", ""),
            now=ctx.now,
        )
    except InvalidInput as error:
        return _show_totp(ctx, secret, error=error)
    return ctx.page("recovery.html", codes=codes)


async def turn_off_totp(ctx: Context) -> Response:
    """Turn the second factor off."""
    await confirm(ctx, (await ctx.fields()).get("password", ""))
    await totp.turn_off(ctx.db, account=ctx.person, actor=ctx.person.actor, now=ctx.now)
    return ctx.go(ME, done="totp")


async def end_session(ctx: Context, session: int) -> Response:
    """End one of the person's sessions."""
    leaves = session == ctx.session_id
    await actions.sign_out(ctx.db, account=ctx.person, session_id=session, leaves=leaves)
    return ctx.go(ME, done="session")


async def confirm(ctx: Context, password: str) -> None:
    """See that the person at the keyboard is the one who signed in.

    Raises: InvalidInput for a wrong password, ApiError 50009 after too many.
    """
    if not ctx.person.password:  # one who signs in elsewhere shows it by having done so just now
        if ctx.session is None or ctx.session.created_at < ctx.now - FRESH_US:
            raise InvalidInput(
                "sign out and in again first, to show that it is you", "请先退出并重新登录以确认身份"
            )
        return
    key, address, now_s = f"confirm:{ctx.person.id}", ctx.request.address, ctx.now / 1e6
    ctx.service.throttle.check(key, address, now_s)
    if await actions.check_password(ctx.db, name=ctx.person.name, password=password) is None:
        ctx.service.throttle.failed(key, address, now_s)
        raise InvalidInput("password: not the one that you sign in with", "密码：与登录密码不一致")


def _show_totp(ctx: Context, secret: str, *, error: InvalidInput | None) -> Response:
    image = io.BytesIO()
    segno.make(totp.make_uri(secret, name=ctx.person.name)).save(
        image,
        kind="svg",
        xmldecl=False,
        svgns=False,
        omitsize=True,
        border=2,
        svgclass="qr",
    )
    sealed = ctx.service.vault.seal(secret, app_key=f"{_ENROLMENT}:{ctx.person.id}").hex()
    return ctx.page(
        "totp.html",
        status=422 if error else 200,
        secret=secret,
        sealed=sealed,
        qr=image.getvalue().decode(),
        error=error.text if error else None,
    )
