"""In and out: sign-in, the second factor, links that make an account, and what a visitor may choose."""

from __future__ import annotations

from smsign.actions import accounts as actions
from smsign.actions import totp
from smsign.console import pages
from smsign.console.visit import HOME, Visit, not_here
from smsign.domain.accounts import Account, Role
from smsign.errors import InvalidInput, SetupError
from smsign.storage import accounts as rows
from smsign.web.wire import Response

SESSION = "smsign_session"
PENDING = "smsign_pending"
PENDING_S = 300
NAMES = 5
"""An address may guess that many times as often over all names as for one: an office has many people."""
YEAR_S = 365 * 86_400
CHOICES = {"language": ("en", "zh"), "theme": ("light", "dark", "")}
_WRONG = InvalidInput("that name and password do not belong together", "用户名或密码不正确")


async def home(visit: Visit) -> Response:
    """Send each person to where their work is."""
    if visit.account is None:
        return visit.go(f"{HOME}/sign-in")
    return visit.go(landing(visit.account))


def landing(account: Account) -> str:
    """Return the page that a person starts from."""
    if account.has(Role.AUDITOR):
        return f"{HOME}/desk"
    return f"{HOME}/apps" if account.has(Role.OWNER) else f"{HOME}/figures"


async def static(visit: Visit, name: str) -> Response:
    """Answer a file that pages link to."""
    if name not in pages.static():
        raise not_here()
    kind, body = pages.static()[name]
    cache = b"public, max-age=31536000, immutable"
    guard = (b"x-content-type-options", b"nosniff")
    return Response(200, body, ((b"content-type", kind), (b"cache-control", cache), guard))


async def choose(visit: Visit) -> Response:
    """Keep a visitor's language or theme, and go back to where they were."""
    for name, value in (await visit.fields()).items():
        if value in CHOICES.get(name, ()):
            visit.set_cookie(f"smsign_{name}", value, age_s=YEAR_S)
    return visit.go(visit.back(HOME))


async def show_sign_in(visit: Visit) -> Response:
    """Ask for name and password."""
    return visit.page("sign_in.html", to=visit.query.get("to", ""), name="", error=None)


async def sign_in(visit: Visit) -> Response:
    """Start a session, or ask for the second factor first."""
    fields = await visit.fields()
    name, to = fields.get("name", "").strip().lower(), fields.get("to", "")
    throttle, address, now_s = visit.service.throttle, visit.request.address, visit.now / 1e6
    throttle.check(f"sign-in:{name}", address, now_s)
    throttle.check("sign-in", address, now_s, times=NAMES)
    account = await actions.check_password(visit.db, name=name, password=fields.get("password", ""))
    if account is None:
        throttle.failed(f"sign-in:{name}", address, now_s)
        throttle.failed("sign-in", address, now_s)
        visit.service.log.info("sign-in refused", address=address, request_id=visit.request.id)
        return visit.page("sign_in.html", status=401, to=to, name=name, error=_WRONG.text)
    if account.has_totp:
        sealed = visit.service.vault.seal(f"{account.id}:{visit.now}:{to}", app_key=PENDING)
        visit.set_cookie(PENDING, sealed.hex(), age_s=PENDING_S)
        return visit.go(f"{HOME}/sign-in/code")
    return await start(visit, account, to)


async def show_code(visit: Visit) -> Response:
    """Ask for the second factor."""
    await _pending(visit)
    return visit.page("code.html", error=None)


async def check_code(visit: Visit) -> Response:
    """Start a session for one who has the second factor too."""
    account, to = await _pending(visit)
    key, address, now_s = f"code:{account.id}", visit.request.address, visit.now / 1e6
    visit.service.throttle.check(key, address, now_s)
    code = (await visit.fields()).get("code", "")
    if not await totp.check(visit.db, visit.service.vault, account=account, code=code, now=visit.now):
        visit.service.throttle.failed(key, address, now_s)
        wrong = InvalidInput("not the code of this moment, nor a recovery code", "验证码或恢复码不正确")
        return visit.page("code.html", status=401, error=wrong.text)
    visit.set_cookie(PENDING, "")
    return await start(visit, account, to)


async def sign_out(visit: Visit) -> Response:
    """End the session."""
    if visit.account is not None:
        await actions.sign_out(visit.db, account=visit.account, session_id=visit.session_id)
    visit.set_cookie(SESSION, "")
    return visit.go(f"{HOME}/sign-in")


async def show_welcome(visit: Visit, token: str) -> Response:
    """Show what an invitation is for."""
    return await _welcome(visit, token, name="", error=None)


async def welcome(visit: Visit, token: str) -> Response:
    """Use an invitation, and sign the person in."""
    fields = await visit.fields()
    name = fields.get("name", "").strip().lower()
    try:
        account = await actions.accept(
            visit.db, token=token, name=name, password=fields.get("password", ""), now=visit.now
        )
    except InvalidInput as error:
        return await _welcome(visit, token, name=name, error=error)
    return await start(visit, account, "") if not account.has_totp else visit.go(f"{HOME}/sign-in")


async def start(visit: Visit, account: Account, to: str) -> Response:
    """Start a session under a new token, whatever the browser had before."""
    if visit.account is not None:
        leaves = visit.account.id != account.id
        await actions.sign_out(visit.db, account=visit.account, session_id=visit.session_id, leaves=leaves)
    token = await actions.sign_in(
        visit.db,
        account=account,
        address=visit.request.address,
        agent=visit.request.header(b"user-agent"),
        now=visit.now,
    )
    visit.set_cookie(SESSION, token)
    return visit.go(to if to.startswith(f"{HOME}/") and to.isprintable() else landing(account))


async def _welcome(visit: Visit, token: str, *, name: str, error: InvalidInput | None) -> Response:
    invitation = await rows.find_invitation(visit.db.read, actions.token_hash(token), now=visit.now)
    known = None
    if invitation is not None and invitation.account_id is not None:
        known = await rows.get(visit.db.read, invitation.account_id)
    return visit.page(
        "welcome.html",
        status=404 if invitation is None else 422 if error else 200,
        invitation=invitation,
        known=known,
        name=name,
        error=error.text if error else None,
    )


async def _pending(visit: Visit) -> tuple[Account, str]:
    """Return who gave the right password within the last minutes.

    Raises: InvalidInput.
    """
    try:
        sealed = bytes.fromhex(visit.cookies.get(PENDING, ""))
        text = visit.service.vault.unseal(sealed, app_key=PENDING)
        number, at, to = text.split(":", 2)
    except (ValueError, SetupError):
        number, at, to = "0", "0", ""
    if int(at) < visit.now - PENDING_S * 1_000_000:
        raise InvalidInput("the sign-in took too long; start again", "登录超时，请重新登录")
    return await rows.get(visit.db.read, int(number)), to
