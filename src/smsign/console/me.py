"""A person's own page: password, second factor, sessions."""

from __future__ import annotations

import io

import segno

from smsign.actions import accounts as actions
from smsign.actions import totp
from smsign.console.visit import HOME, Visit
from smsign.errors import InvalidInput, SetupError
from smsign.storage import accounts as rows
from smsign.web.wire import Response

ME = f"{HOME}/me"
FRESH_US = 300_000_000
_ENROLMENT = "enrolment"


async def show(visit: Visit) -> Response:
    """Show the person's own settings."""
    sessions = await rows.list_sessions(visit.db.read, visit.person.id)
    return visit.page("me.html", sessions=sessions, done=visit.done("password", "totp", "session", "sso"))


async def change_password(visit: Visit) -> Response:
    """Set a new password; other sessions end."""
    fields = await visit.fields()
    await confirm(visit, fields.get("old", ""))
    await actions.change_password(
        visit.db,
        account=visit.person,
        password=fields.get("password", ""),
        keep=visit.session_id,
        now=visit.now,
    )
    return visit.go(ME, done="password")


async def show_totp(visit: Visit) -> Response:
    """Show a new secret for an authenticator app; it counts once a code of it came back."""
    return _show_totp(visit, totp.make_secret(), error=None)


async def turn_on_totp(visit: Visit) -> Response:
    """Turn the second factor on, and show the recovery codes this once."""
    fields = await visit.fields()
    try:
        sealed = bytes.fromhex(fields.get("sealed", ""))
        secret = visit.service.vault.unseal(sealed, app_key=f"{_ENROLMENT}:{visit.person.id}")
    except (ValueError, SetupError):
        raise InvalidInput("code: start again", "请重新开始") from None
    try:
        codes = await totp.turn_on(
            visit.db,
            visit.service.vault,
            account=visit.person,
            secret=secret,
            code=fields.get("code", ""),
            now=visit.now,
        )
    except InvalidInput as error:
        return _show_totp(visit, secret, error=error)
    return visit.page("recovery.html", codes=codes)


async def turn_off_totp(visit: Visit) -> Response:
    """Turn the second factor off."""
    await confirm(visit, (await visit.fields()).get("password", ""))
    await totp.turn_off(visit.db, account=visit.person, actor=visit.person.actor, now=visit.now)
    return visit.go(ME, done="totp")


async def end_session(visit: Visit, session: int) -> Response:
    """End one of the person's sessions."""
    leaves = session == visit.session_id
    await actions.sign_out(visit.db, account=visit.person, session_id=session, leaves=leaves)
    return visit.go(ME, done="session")


async def confirm(visit: Visit, password: str) -> None:
    """See that the person at the keyboard is the one who signed in.

    Raises: InvalidInput for a wrong password, OutOfFreq after too many.
    """
    if not visit.person.password:  # one who signs in elsewhere shows it by having done so just now
        if visit.session is None or visit.session.created_at < visit.now - FRESH_US:
            raise InvalidInput(
                "sign out and in again first, to show that it is you", "请先退出并重新登录以确认身份"
            )
        return
    key, address, now_s = f"confirm:{visit.person.id}", visit.request.address, visit.now / 1e6
    visit.service.throttle.check(key, address, now_s)
    if await actions.check_password(visit.db, name=visit.person.name, password=password) is None:
        visit.service.throttle.failed(key, address, now_s)
        raise InvalidInput("password: not the one that you sign in with", "密码：与登录密码不一致")


def _show_totp(visit: Visit, secret: str, *, error: InvalidInput | None) -> Response:
    picture = io.BytesIO()
    segno.make(totp.make_uri(secret, name=visit.person.name)).save(
        picture,
        kind="svg",
        xmldecl=False,
        svgns=False,
        omitsize=True,
        border=2,
        svgclass="qr",
    )
    sealed = visit.service.vault.seal(secret, app_key=f"{_ENROLMENT}:{visit.person.id}").hex()
    return visit.page(
        "totp.html",
        status=422 if error else 200,
        secret=secret,
        sealed=sealed,
        qr=picture.getvalue().decode(),
        error=error.text if error else None,
    )
