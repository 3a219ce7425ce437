"""The paths of the console: one table, with who may use each; and what is checked before a handler runs.

A post is taken only from a page of this very server: Sec-Fetch-Site says so in every current browser,
Origin in older ones; a browser that sends neither is refused.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import msgspec

from smsign.actions import accounts as account_actions
from smsign.console import (
    admin,
    apps,
    callbacks,
    desk,
    images,
    ledger,
    me,
    pages,
    people,
    signatures,
    sso,
    submit,
)
from smsign.console.context import HOME, Context, not_here
from smsign.domain.accounts import Role
from smsign.errors import ApiError, Code, InvalidInput, NotFound
from smsign.http.router import Router, known_method
from smsign.http.service import Service
from smsign.http.wire import Request, Response

Handler = Callable[..., Awaitable[Response]]

OPEN: frozenset[Role] | None = None
"""For everyone, signed in or not."""

ANYONE = frozenset(Role)
STAFF = frozenset({Role.AUDITOR, Role.ADMIN})
OWNERS = frozenset({Role.OWNER, Role.ADMIN})
AUDITORS = frozenset({Role.AUDITOR})
ADMINS = frozenset({Role.ADMIN})


class Route(msgspec.Struct, frozen=True):
    """A path with its handlers; the names in braces are positive integers, except those in TEXTS."""

    pattern: str
    roles: frozenset[Role] | None
    get: Handler | None = None
    post: Handler | None = None


ROUTES = (
    Route("/console", OPEN, get=people.home),
    Route("/console/static/{name}", OPEN, get=people.static),
    Route("/console/choose", OPEN, post=people.choose),
    Route("/console/sign-in", OPEN, get=people.show_sign_in, post=people.sign_in),
    Route("/console/sign-in/code", OPEN, get=people.show_code, post=people.check_code),
    Route("/console/sso", OPEN, get=sso.begin),
    Route("/console/sso/back", OPEN, get=sso.finish),
    Route("/console/sign-out", OPEN, post=people.sign_out),
    Route("/console/welcome/{token}", OPEN, get=people.show_welcome, post=people.welcome),
    Route("/console/me", ANYONE, get=me.show),
    Route("/console/me/password", ANYONE, post=me.change_password),
    Route("/console/me/totp", ANYONE, get=me.show_totp, post=me.turn_on_totp),
    Route("/console/me/totp/off", ANYONE, post=me.turn_off_totp),
    Route("/console/me/sessions/{session}/end", ANYONE, post=me.end_session),
    Route("/console/apps", OWNERS, get=apps.list_, post=apps.create),
    Route("/console/apps/{app}", OWNERS, get=apps.show),
    Route("/console/apps/{app}/secret", OWNERS, post=apps.show_secret),
    Route("/console/apps/{app}/rotate", OWNERS, post=apps.rotate),
    Route("/console/apps/{app}/use", OWNERS, post=apps.use),
    Route("/console/apps/{app}/switch", OWNERS, post=apps.switch),
    Route("/console/apps/{app}/open", ADMINS, post=apps.open_),
    Route("/console/apps/{app}/owners", ADMINS, post=apps.add_owner),
    Route("/console/apps/{app}/owners/{account}/remove", ADMINS, post=apps.remove_owner),
    Route("/console/apps/{app}/callbacks", OWNERS, post=callbacks.create),
    Route("/console/apps/{app}/callbacks/{callback}", OWNERS, get=callbacks.show),
    Route("/console/apps/{app}/callbacks/{callback}/secret", OWNERS, post=callbacks.show_secret),
    Route("/console/apps/{app}/callbacks/{callback}/rotate", OWNERS, post=callbacks.rotate),
    Route("/console/apps/{app}/callbacks/{callback}/pause", OWNERS, post=callbacks.pause),
    Route("/console/apps/{app}/callbacks/{callback}/resume", OWNERS, post=callbacks.resume),
    Route("/console/apps/{app}/callbacks/{callback}/replay", OWNERS, post=callbacks.replay),
    Route("/console/apps/{app}/callbacks/{callback}/remove", OWNERS, post=callbacks.remove),
    Route(
        "/console/apps/{app}/callbacks/{callback}/deliveries/{delivery}/resend",
        OWNERS,
        post=callbacks.resend,
    ),
    Route("/console/apps/{app}/submit", OWNERS, get=submit.show_new, post=submit.create),
    Route("/console/check", OWNERS, get=submit.check),
    Route("/console/signatures/{signature}", ANYONE, get=signatures.show),
    Route("/console/signatures/{signature}/resubmit", OWNERS, get=submit.show_again, post=submit.resubmit),
    Route("/console/signatures/{signature}/delete", OWNERS, post=signatures.delete),
    Route("/console/signatures/{signature}/reopen", ADMINS, post=signatures.reopen),
    Route("/console/signatures/{signature}/images/{version}/{slot}", ANYONE, get=images.show),
    Route("/console/desk", AUDITORS, get=desk.show_queue, post=desk.decide_many),
    Route("/console/desk/live", AUDITORS, get=desk.live),
    Route("/console/desk/next", AUDITORS, post=desk.take_next),
    Route("/console/desk/{signature}", AUDITORS, get=desk.show, post=desk.decide),
    Route("/console/desk/{signature}/take", AUDITORS, post=desk.take),
    Route("/console/desk/{signature}/renew", AUDITORS, post=desk.renew),
    Route("/console/desk/{signature}/release", AUDITORS, post=desk.release),
    Route("/console/accounts", ADMINS, get=admin.list_accounts, post=admin.invite),
    Route("/console/accounts/{account}", ADMINS, get=admin.show_account, post=admin.change_account),
    Route("/console/accounts/{account}/link", ADMINS, post=admin.make_link),
    Route("/console/reasons", ADMINS, get=admin.list_reasons, post=admin.change_reason),
    Route("/console/figures", STAFF, get=ledger.show_figures),
    Route("/console/ledger", ADMINS, get=ledger.search, post=ledger.verify),
)
TEXTS = frozenset({"name", "token", "slot"})
_NUMBER = re.compile("[1-9][0-9]{0,9}")
COOKIE = people.SESSION
_ROUTER = Router({route.pattern: route for route in ROUTES})


async def handle(service: Service, request: Request) -> Response:
    """Answer a request to the console."""
    ctx = Context(service, request)
    try:
        return await _route(ctx)
    except NotFound as error:
        return ctx.page("told.html", status=404, title="Not here", message=error.text)
    except InvalidInput as error:
        return ctx.page("told.html", status=422, title="That did not work", message=error.text)
    except ApiError as error:
        if error.code == Code.OUT_OF_FREQ:
            return ctx.page("wait.html", status=429, seconds=error.retry_after_s)
        return ctx.page("refused.html", status=422, problems=error.problems)


def handle_exception(request: Request) -> Response:
    """Answer a request whose handler raised an unhandled exception."""
    return Response(500, pages.render("failed.html", request=request).encode(), pages.HEADERS)


async def _route(ctx: Context) -> Response:
    request = ctx.request
    route, values = find(request.path.rstrip("/"))
    if route is None:
        await _know(ctx)
        raise not_here()
    request.route = route.pattern
    if "{token" in route.pattern:
        request.path_logged = route.pattern
    handler = {"GET": route.get, "HEAD": route.get, "POST": route.post}.get(request.method)
    if handler is None and route.post and request.method in ("GET", "HEAD"):
        return ctx.go(_above(request.path))  # the address bar has it after a post that was answered at once
    if handler is None:
        allow = b", ".join([b"GET"] * bool(route.get) + [b"POST"] * bool(route.post))
        request.method = known_method(request.method)
        return Response(405, b"", ((b"allow", allow), *pages.HEADERS[1:]))
    if request.method == "POST" and not from_here(request):
        return ctx.page("cross.html", status=403)
    await _know(ctx)
    if route.roles is not None:
        if ctx.account is None:
            return _ask_to_sign_in(ctx)
        if not ctx.account.has(*route.roles):
            return ctx.page("forbidden.html", status=403)
    return await handler(ctx, **values)


def from_here(request: Request) -> bool:
    """Say whether a post comes from a page of this server (Fetch Metadata; RFC 6454 for older browsers)."""
    site = request.header(b"sec-fetch-site")
    if site:
        return site == "same-origin"
    origin = request.header(b"origin")
    return bool(origin) and urlsplit(origin).netloc == request.header(b"host")


def find(path: str) -> tuple[Route | None, dict[str, int | str]]:
    """Return the route of a path, and the values of its names; None for an unknown path."""
    found = _ROUTER.find(path)
    if found is None:
        return None, {}
    pattern, route, segments = found
    names = [part[1:-1] for part in pattern.split("/") if part[:1] == "{"]
    values: dict[str, int | str] = {}
    for name, segment in zip(names, segments, strict=True):
        if name in TEXTS:
            values[name] = segment
        elif _NUMBER.fullmatch(segment):
            values[name] = int(segment)
        else:
            return None, {}
    return route, values


async def _know(ctx: Context) -> None:
    token = ctx.cookies.get(COOKIE)
    known = await account_actions.find_session(ctx.db, token, now=ctx.now) if token else None
    if known is not None:
        ctx.account, ctx.session = known


def _above(path: str) -> str:
    """Return the nearest page that a path which can only be posted to lies under."""
    while True:
        path = path.rstrip("/").rpartition("/")[0]
        route, _ = find(path)
        if route is not None and route.get:
            return path


def _ask_to_sign_in(ctx: Context) -> Response:
    request = ctx.request
    if request.method == "POST" or request.header(b"hx-request"):
        page = ctx.back(HOME)
        return ctx.page("signed_out.html", status=401, to="" if page == HOME else page)
    return ctx.go(f"{HOME}/sign-in", to="?".join(filter(None, (request.path, request.query))))
