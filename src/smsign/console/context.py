"""One request to the console: who asks, in which language and time zone, and how it is answered."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from smsign.console import pages
from smsign.console.translations import words
from smsign.domain.accounts import Account, Role, Session
from smsign.domain.apps import App
from smsign.domain.signatures import Signature
from smsign.errors import InvalidInput, NotFound
from smsign.http.service import Service
from smsign.http.wire import Request, Response
from smsign.storage.rows import accounts
from smsign.storage.rows import apps as app_rows
from smsign.storage.rows import signatures as signature_rows

FORM_BYTES = 64 * 1024
HOME = "/console"
Header = tuple[bytes, bytes]


class Context:
    """What a handler works with: the request, the service behind it, and the person."""

    def __init__(self, service: Service, request: Request) -> None:
        self.service = service
        self.request = request
        self.db = service.db
        self.now = service.now()
        self.cookies = _cookies(request.header(b"cookie"))
        self.query = {name: values[-1] for name, values in parse_qs(request.query).items()}
        self.account: Account | None = None
        self.session: Session | None = None
        chosen = self.cookies.get("smsign_language", "")
        self.language = chosen if chosen in ("en", "zh") else request.language
        self.theme = self.cookies.get("smsign_theme", "")
        self.zone = pages.zone(self.cookies.get("smsign_zone", ""))
        self._cookies: list[Header] = []

    @property
    def person(self) -> Account:
        """Return the person of a route that asks for one."""
        assert self.account is not None, "the route table lets nobody else in"
        return self.account

    @property
    def session_id(self) -> int:
        """Return the id of the person's session, or 0."""
        return self.session.id if self.session else 0

    @property
    def origin(self) -> str:
        """Return how the browser reached this server: scheme and host."""
        return self.service.origin(self.request)

    def t(self, text: str, **values: object) -> str:
        """Return `text` in the reader's language, with `values` in place of {names}."""
        told = words(self.language).get(text, text)
        return told.format(**values) if values else told

    async def form(self) -> dict[str, list[str]]:
        """Return the fields of a posted form.

        Raises: InvalidInput for one that is no form or has bytes that are no text.
        """
        body = bytearray()
        timeout_s = self.service.settings.body_timeout
        async for chunk in self.request.body(at_most=FORM_BYTES, timeout_s=timeout_s):
            body += chunk
        try:
            fields = parse_qs(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=1000)
        except ValueError:
            raise InvalidInput("form: not readable; send it again", "表单无法读取，请重新提交") from None
        if any("\0" in value for values in fields.values() for value in values):
            raise InvalidInput("form: a NUL character is not text", "表单包含无效字符")
        return fields

    async def fields(self) -> dict[str, str]:
        """Return the fields of a posted form, the last value of each."""
        return {name: values[-1] for name, values in (await self.form()).items()}

    async def app(self, app_id: int) -> App:
        """Return an application that this person may see: their own, or any for an admin.

        Raises: NotFound.
        """
        found = await app_rows.find(self.db.read, app_id)
        if found is not None and await self.owns(app_id):
            return found
        raise not_here()

    async def owns(self, app_id: int) -> bool:
        """Say whether this person manages an application."""
        if self.person.has(Role.ADMIN):
            return True
        return self.person.has(Role.OWNER) and await accounts.owns(self.db.read, app_id, self.person.id)

    async def signature(self, signature_id: int) -> Signature:
        """Return a signature that this person may see.

        Raises: NotFound.
        """
        found = await signature_rows.find_any(self.db.read, signature_id)
        if found is not None and (self.person.has(Role.AUDITOR) or await self.owns(found.app_id)):
            return found
        raise not_here()

    def set_cookie(self, name: str, value: str, *, age_s: int | None = None, script: bool = False) -> None:
        """Give the browser a cookie with the answer; one that is empty is taken away."""
        life = "; Max-Age=0" if not value else f"; Max-Age={age_s}" if age_s else ""
        guard = ("" if script else "; HttpOnly") + ("; Secure" if self.service.is_https(self.request) else "")
        text = f"{name}={value}; Path={HOME}; SameSite=Lax{life}{guard}"
        self._cookies.append((b"set-cookie", text.encode("latin-1")))

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """Return a page."""
        html = pages.render(template, ctx=self, t=self.t, **values)
        return Response(status, html.encode(), (*pages.HEADERS, *self._cookies))

    def go(self, path: str, **query: object) -> Response:
        """Send the browser to another page of the console (303: with GET)."""
        where = f"{path}?{urlencode(query)}" if query else path
        return Response(303, b"", ((b"location", where.encode()), *pages.HEADERS[1:], *self._cookies))

    def leave(self, url: str) -> Response:
        """Send the browser to another server."""
        return Response(303, b"", ((b"location", url.encode()), *pages.HEADERS[1:], *self._cookies))

    def done(self, *known: str) -> str:
        """Return what the address says was done, if that is one of the `known` words of this page."""
        said = self.query.get("done", "")
        return said if said in known else ""

    def back(self, default: str) -> str:
        """Return the console page that the browser came from, with its query: filters stay as they were."""
        parts = urlsplit(self.request.header(b"referer"))
        inside = parts.netloc == self.request.header(b"host") and parts.path.startswith(HOME)
        return (f"{parts.path}?{parts.query}" if parts.query else parts.path) if inside else default


def not_here() -> NotFound:
    """Return the one answer for what is not there and for what is not this person's."""
    return NotFound("there is nothing here", "这里没有内容")


def _cookies(header: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return {name: value for name, _, value in pairs if name}
