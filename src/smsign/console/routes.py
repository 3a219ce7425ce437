"""The console's route table: path, roles, handlers; and the checks before a handler runs.

CSRF protection: a POST must come from a page of this server. Current browsers send Sec-Fetch-Site, older ones
Origin; a POST with neither is rejected. So no form needs a CSRF token.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import msgspec

from smsign.actions import sessions
from smsign.console import (
    admin,
    apps,
    callbacks,
    desk,
    images,
    ledger,
    me,
    pages,
    session,
    signatures,
    sso,
    statistics,
    submit,
)
from smsign.console.context import HOME, Context, not_found
from smsign.domain.accounts import Role
from smsign.errors import ApiError, Code, DamagedImage, InvalidInput, NotFound
from smsign.http.router import Router, known_method
from smsign.http.service import Service
from smsign.http.wire import Request, Response

Handler = Callable[..., Awaitable[Response]]

PUBLIC: frozenset[Role] | None = None
"""No session required."""

SIGNED_IN = frozenset(Role)
STAFF = frozenset({Role.AUDITOR, Role.ADMIN})
OWNER = frozenset({Role.OWNER, Role.ADMIN})
AUDITOR = frozenset({Role.AUDITOR})
ADMIN = frozenset({Role.ADMIN})


class Route(msgspec.Struct, frozen=True):
    """A path with the roles that may use it; its parameters are positive integers, except those in TEXTS."""

    pattern: str
    roles: frozenset[Role] | None
    get: Handler | None = None
    post: Handler | None = None


ROUTES = (
    Route("/console", PUBLIC, get=session.home),
    Route("/console/static/{name}", PUBLIC, get=session.static),
    Route("/console/preferences", PUBLIC, post=session.set_preferences),
    Route("/console/sign-in", PUBLIC, get=session.show_sign_in, post=session.sign_in),
    Route("/console/sign-in/code", PUBLIC, get=session.show_code, post=session.check_code),
    Route("/console/sso", PUBLIC, get=sso.start),
    Route("/console/sso/back", PUBLIC, get=sso.complete),
    Route("/console/sign-out", PUBLIC, post=session.sign_out),
    Route("/console/welcome/{token}", PUBLIC, get=session.show_invitation, post=session.accept),
    Route("/console/me", SIGNED_IN, get=me.show),
    Route("/console/me/password", SIGNED_IN, post=me.change_password),
    Route("/console/me/totp", SIGNED_IN, get=me.show_totp, post=me.turn_on_totp),
    Route("/console/me/totp/off", SIGNED_IN, post=me.turn_off_totp),
    Route("/console/me/sessions/{session}/end", SIGNED_IN, post=me.end_session),
    Route("/console/apps", OWNER, get=apps.list_, post=apps.create),
    Route("/console/apps/{app}", OWNER, get=apps.show),
    Route("/console/apps/{app}/secret", OWNER, post=apps.show_secret),
    Route("/console/apps/{app}/rotate", OWNER, post=apps.rotate),
    Route("/console/apps/{app}/use", OWNER, post=apps.use),
    Route("/console/apps/{app}/switch", OWNER, post=apps.set_by_hand),
    Route("/console/apps/{app}/open", ADMIN, post=apps.set_open),
    Route("/console/apps/{app}/owners", ADMIN, post=apps.add_owner),
    Route("/console/apps/{app}/owners/{account}/remove", ADMIN, post=apps.remove_owner),
    Route("/console/apps/{app}/callbacks", OWNER, post=callbacks.create),
    Route("/console/apps/{app}/callbacks/{callback}", OWNER, get=callbacks.show),
    Route("/console/apps/{app}/callbacks/{callback}/secret", OWNER, post=callbacks.show_secret),
    Route("/console/apps/{app}/callbacks/{callback}/rotate", OWNER, post=callbacks.rotate),
    Route("/console/apps/{app}/callbacks/{callback}/pause", OWNER, post=callbacks.pause),
    Route("/console/apps/{app}/callbacks/{callback}/resume", OWNER, post=callbacks.resume),
    Route("/console/apps/{app}/callbacks/{callback}/replay", OWNER, post=callbacks.replay),
    Route("/console/apps/{app}/callbacks/{callback}/remove", OWNER, post=callbacks.remove),
    Route(
        "/console/apps/{app}/callbacks/{callback}/deliveries/{delivery}/resend",
        OWNER,
        post=callbacks.resend,
    ),
    Route("/console/apps/{app}/submit", OWNER, get=submit.show_new, post=submit.create),
    Route("/console/check", OWNER, get=submit.check),
    Route("/console/signatures/{signature}", SIGNED_IN, get=signatures.show),
    Route("/console/signatures/{signature}/resubmit", OWNER, get=submit.show_resubmit, post=submit.resubmit),
    Route("/console/signatures/{signature}/delete", OWNER, post=signatures.delete),
    Route("/console/signatures/{signature}/reopen", ADMIN, post=signatures.reopen),
    Route("/console/signatures/{signature}/images/{version}/{slot}", SIGNED_IN, get=images.show),
    Route("/console/desk", AUDITOR, get=desk.show_queue, post=desk.decide_many),
    Route("/console/desk/live", AUDITOR, get=desk.stream),
    Route("/console/desk/next", AUDITOR, post=desk.take_next),
    Route("/console/desk/{signature}", AUDITOR, get=desk.show, post=desk.decide),
    Route("/console/desk/{signature}/take", AUDITOR, post=desk.take),
    Route("/console/desk/{signature}/renew", AUDITOR, post=desk.renew),
    Route("/console/desk/{signature}/release", AUDITOR, post=desk.release),
    Route("/console/accounts", ADMIN, get=admin.list_accounts, post=admin.invite),
    Route("/console/accounts/{account}", ADMIN, get=admin.show_account, post=admin.change_account),
    Route("/console/accounts/{account}/link", ADMIN, post=admin.reset_password),
    Route("/console/reasons", ADMIN, get=admin.list_reasons, post=admin.change_reason),
    Route("/console/statistics", STAFF, get=statistics.show),
    Route("/console/ledger", ADMIN, get=ledger.search, post=ledger.verify),
)
TEXTS = frozenset({"name", "token", "slot"})
_NUMBER = re.compile("[1-9][0-9]{0,9}")
_ROUTER = Router({route.pattern: route for route in ROUTES})


async def handle(service: Service, request: Request) -> Response:
    """Return the response to a request to the console."""
    ctx = Context(service, request)
    try:
        return await _dispatch(ctx)
    except NotFound as error:
        return ctx.message(404, ctx.t("Not found"), error.text.to(ctx.language))
    except InvalidInput as error:
        return ctx.message(422, ctx.t("Could not complete the request"), error.text.to(ctx.language))
    except DamagedImage as error:
        return ctx.message(500, ctx.t("Image damaged"), error.text.to(ctx.language))
    except ApiError as error:
        if error.code == Code.OUT_OF_FREQ:
            text = ctx.t("Wait {n} seconds, then try again.", n=error.retry_after_s)
            page = ctx.message(429, ctx.t("Too many attempts"), text)
            page.headers = (*page.headers, (b"retry-after", b"%d" % (error.retry_after_s or 0)))
            return page
        return ctx.page("errors.html", status=422, problems=error.problems)


def handle_exception(request: Request) -> Response:
    """Return the page for an unhandled exception."""
    return Response(500, pages.render("server_error.html", request=request).encode(), pages.HEADERS)


async def _dispatch(ctx: Context) -> Response:
    request = ctx.request
    route, values = find(request.path.rstrip("/"))
    if route is None:
        await _load_session(ctx)
        raise not_found()
    request.route = route.pattern
    if "{token" in route.pattern:
        request.path_logged = route.pattern
    handler = {"GET": route.get, "HEAD": route.get, "POST": route.post}.get(request.method)
    if handler is None and route.post and request.method in ("GET", "HEAD"):
        return ctx.redirect(_parent_page(request.path))  # a reload of the response to a POST
    if handler is None:
        allow = b", ".join([b"GET"] * bool(route.get) + [b"POST"] * bool(route.post))
        request.method = known_method(request.method)
        return Response(405, b"", ((b"allow", allow), *pages.HEADERS[1:]))
    if request.method == "POST" and not is_same_origin(request):
        text = ctx.t("It did not come from a page of this console (CSRF check), so nothing was changed.")
        return ctx.message(403, ctx.t("Request blocked"), text)
    await _load_session(ctx)
    if route.roles is not None:
        if ctx.account is None:
            return _require_sign_in(ctx)
        if not ctx.account.has(*route.roles):
            text = ctx.t("Your account does not have permission for this. Ask an admin.")
            return ctx.message(403, ctx.t("Access denied"), text)
    return await handler(ctx, **values)


def is_same_origin(request: Request) -> bool:
    """CSRF check: return whether a POST comes from this server (Fetch Metadata; else Origin, RFC 6454)."""
    site = request.header(b"sec-fetch-site")
    if site:
        return site == "same-origin"
    origin = request.header(b"origin")
    return bool(origin) and urlsplit(origin).netloc == request.header(b"host")


def find(path: str) -> tuple[Route | None, dict[str, int | str]]:
    """Return the route of a path, and the values of its parameters."""
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


async def _load_session(ctx: Context) -> None:
    token = ctx.cookies.get(session.SESSION)
    found = await sessions.find(ctx.db, token, now=ctx.now) if token else None
    if found is not None:
        ctx.account, ctx.session = found


def _parent_page(path: str) -> str:
    """Return the nearest page above a path that only accepts POST."""
    while True:
        path = path.rstrip("/").rpartition("/")[0]
        route, _ = find(path)
        if route is not None and route.get:
            return path


def _require_sign_in(ctx: Context) -> Response:
    request = ctx.request
    if request.method == "POST" or request.header(b"hx-request"):
        page = ctx.previous_page()
        return ctx.page("signed_out.html", status=401, to="" if page == HOME else page)
    return ctx.redirect(f"{HOME}/sign-in", to="?".join(filter(None, (request.path, request.query))))
