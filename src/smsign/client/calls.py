"""What all API calls share: options, encoding of parameters, decoding of responses, pagination."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import TypeVar

import msgspec

from smsign.client.models import Page
from smsign.client.options import Options
from smsign.client.retry import Call, Pages, Request, Response, check_done, decode, send

T = TypeVar("T")

LIST_MAX = 100
"""The largest page size of a list."""


class Calls:
    """The methods that API calls are written with."""

    _options: Options

    @property
    def identity(self) -> str:
        """Return the application and the service that this client uses, without the secret."""
        return f"{self._options.app_key}@{self._options.base_url}"

    def _send(self, request: Request) -> Call[Response]:
        return (yield from send(request, retries=self._options.retries))

    def _perform(self, request: Request) -> Call[None]:
        """Send a request whose response has no data."""
        check_done((yield from self._send(request)))

    def _fetch(self, request: Request, into: type[T]) -> Call[T]:
        return decode((yield from self._send(request)), into)

    def _get(self, path: str, into: type[T], query: dict[str, str] | None = None) -> Call[T]:
        return (yield from self._fetch(Request(method="GET", path=path, query=query or {}), into))

    def _post(self, path: str, into: type[T], **body: object) -> Call[T]:
        """Send a request that is not idempotent."""
        request = Request(method="POST", path=path, body=encode(**body), idempotent=False)
        return (yield from self._fetch(request, into))

    def _pages(self, query: dict[str, str], fetch: Callable[[dict[str, str]], Call[Page[T]]]) -> Pages[T]:
        """Fetch all pages of a list by its cursor."""
        cursor: str | None = ""
        while cursor is not None:
            page = yield from fetch(query | ({"cursor": cursor} if cursor else {}))
            yield list(page.items)
            cursor = page.next


def encode(**body: object) -> bytes:
    """Return the parameters that are not None as a JSON object."""
    return msgspec.json.encode({name: value for name, value in body.items() if value is not None})


def query_of(**parameters: datetime | int | str | None) -> dict[str, str]:
    """Return the parameters that are not None as texts, for a query string.

    Raises: ValueError for a datetime without a time zone.
    """
    return {name: _text(name, value) for name, value in parameters.items() if value is not None}


def _text(name: str, value: datetime | int | str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(int(value))  # a Status as its number
    if value.tzinfo is None:
        raise ValueError(f"{name}: a time without a zone; use datetime.now(timezone.utc) or .astimezone()")
    return value.astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
