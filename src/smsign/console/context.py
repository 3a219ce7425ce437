"""One request to the console: its session, its language and time zone, and how its response is made."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from smsign.console import pages
from smsign.console.translations import words
from smsign.domain.accounts import Account, Role, Session
from smsign.domain.apps import App
from smsign.domain.signatures import TYPES, Signature
from smsign.errors import InvalidInput, NotFound
from smsign.http.service import Service
from smsign.http.wire import Request, Response
from smsign.storage.rows import accounts
from smsign.storage.rows import apps as app_rows
from smsign.storage.rows import signatures as signature_rows

FORM_BYTES = 64 * 1024
HOME = "/console"
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


class Values:
    """The named values of a query or of a posted form."""

    def __init__(self, values: dict[str, list[str]]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __getitem__(self, name: str) -> str:
        """Return the last value of a name, or an empty string."""
        return self._values.get(name, [""])[-1]

    def all(self, name: str) -> list[str]:
        """Return all values of a name."""
        return self._values.get(name, [])

    def number(self, name: str) -> int:
        """Return the last value as an integer, or 0 if it is none."""
        return to_int(self[name])


class Context:
    """What a handler works with: the request, the service and the signed-in account."""

    def __init__(self, service: Service, request: Request) -> None:
        self.service = service
        self.request = request
        self.db = service.db
        self.now = service.now()
        self.cookies = _cookies(request.header(b"cookie"))
        self.query = Values(parse_qs(request.query))
        self.account: Account | None = None
        self.session: Session | None = None
        chosen = self.cookies.get("smsign_language", "")
        self.language = chosen if chosen in ("en", "zh") else request.language
        self.theme = self.cookies.get("smsign_theme", "")
        self.zone = pages.zone(self.cookies.get("smsign_zone", ""))
        self._cookies: list[tuple[bytes, bytes]] = []

    @property
    def user(self) -> Account:
        """Return the signed-in account, on a route that requires one."""
        assert self.account is not None, "the route table requires a session"
        return self.account

    @property
    def session_id(self) -> int:
        """Return the id of the session, or 0."""
        return self.session.id if self.session else 0

    @property
    def origin(self) -> str:
        """Return how the browser reached this server: scheme and host."""
        return self.service.origin(self.request)

    def t(self, text: str, **values: object) -> str:
        """Return `text` translated, with `values` in place of {names}."""
        translated = words(self.language).get(text, text)
        return translated.format(**values) if values else translated

    def time(self, at: int | None) -> str:
        """Return UTC microseconds as local time, to the minute."""
        if at is None:
            return ""
        local = datetime.fromtimestamp(at / 1e6, self.zone)
        return local.strftime("%Y-%m-%d %H:%M") + (" UTC" if self.zone is UTC else "")

    def duration(self, span: int | None) -> str:
        """Return a span of microseconds in the largest unit that fits."""
        if span is None:
            return "–"
        seconds = max(0, span) // 1_000_000
        for unit, length in _UNITS:
            if seconds >= length:
                return self.t(f"{{n}} {unit}", n=seconds // length)
        return self.t("{n} s", n=seconds)

    def field(self, name: str, value: str) -> str:
        """Return a value of a submission as people read it: the source with its name beside the number."""
        if name == "type" and value in TYPES:
            return f"{value} · {TYPES[value].to(self.language)}"
        return value

    async def form(self) -> Values:
        """Return the posted form.

        Raises: InvalidInput for a body that is not a form or contains bytes that are not text.
        """
        body = bytearray()
        timeout_s = self.service.settings.body_timeout
        async for chunk in self.request.body(at_most=FORM_BYTES, timeout_s=timeout_s):
            body += chunk
        try:
            fields = parse_qs(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=1000)
        except ValueError:
            raise InvalidInput("form: invalid; submit it again", "表单无法解析，请重新提交") from None
        if any("\0" in value for values in fields.values() for value in values):
            raise InvalidInput("form: contains a NUL character", "表单包含无效字符")
        return Values(fields)

    async def app(self, app_id: int) -> App:
        """Return an application that the user manages.

        Raises: NotFound.
        """
        found = await app_rows.find(self.db.read, app_id)
        if found is not None and await self.manages(app_id):
            return found
        raise not_found()

    async def manages(self, app_id: int) -> bool:
        """Return whether the user manages an application: as one of its owners, or as an admin."""
        if self.user.has(Role.ADMIN):
            return True
        return self.user.has(Role.OWNER) and await accounts.owns(self.db.read, app_id, self.user.id)

    async def signature(self, signature_id: int) -> Signature:
        """Return a signature that the user may see.

        Raises: NotFound.
        """
        found = await signature_rows.find_any(self.db.read, signature_id)
        if found is not None and (self.user.has(Role.AUDITOR) or await self.manages(found.app_id)):
            return found
        raise not_found()

    def set_cookie(self, name: str, value: str, *, age_s: int | None = None) -> None:
        """Set a cookie with the response; an empty value deletes it."""
        age = "; Max-Age=0" if not value else f"; Max-Age={age_s}" if age_s else ""
        secure = "; Secure" if self.service.is_https(self.request) else ""
        cookie = f"{name}={value}; Path={HOME}; SameSite=Lax{age}; HttpOnly{secure}"
        self._cookies.append((b"set-cookie", cookie.encode("latin-1")))

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """Return a page."""
        html = pages.render(template, ctx=self, t=self.t, **values)
        return Response(status, html.encode(), (*pages.HEADERS, *self._cookies))

    def message(self, status: int, title: str, text: str) -> Response:
        """Return a page with one message."""
        return self.page("message.html", status=status, title=title, text=text)

    def redirect(self, path: str, **query: object) -> Response:
        """Redirect to another page of the console (303, so the browser sends a GET)."""
        return self.redirect_away(f"{path}?{urlencode(query)}" if query else path)

    def redirect_away(self, url: str) -> Response:
        """Redirect to any URL."""
        return Response(303, b"", ((b"location", url.encode()), *pages.HEADERS[1:], *self._cookies))

    def notice(self, *known: str) -> str:
        """Return the notice that a redirect left in the query, if this page knows it."""
        notice = self.query["notice"]
        return notice if notice in known else ""

    def previous_page(self) -> str:
        """Return the console page of the Referer header, with its query so that filters stay, or HOME."""
        parts = urlsplit(self.request.header(b"referer"))
        inside = parts.netloc == self.request.header(b"host") and parts.path.startswith(HOME)
        return (f"{parts.path}?{parts.query}" if parts.query else parts.path) if inside else HOME


def not_found() -> NotFound:
    """Return one error for what does not exist and for what the user has no access to."""
    return NotFound("this page does not exist, or you have no access to it", "页面不存在，或您没有访问权限")


def to_int(text: str) -> int:
    """Return a non-negative integer of at most 18 digits, or 0 for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _cookies(header: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return {name: value for name, _, value in pairs if name}
