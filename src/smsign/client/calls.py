"""What all calls share: they are sent with the client's options, and their parameters are written one way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from smsign.client.drivers import Options
from smsign.client.steps import Call, Request, Response, check_done, decode, send

T = TypeVar("T")

LIST_MAX = 100
"""What one page of a list holds at most."""


class Calls:
    """Calls as steps."""

    _options: Options

    @property
    def identity(self) -> str:
        """Return which application this calls as, and where: no secret."""
        return f"{self._options.app_key}@{self._options.base_url}"

    def _send(self, request: Request) -> Call[Response]:
        return (yield from send(request, retries=self._options.retries))

    def _perform(self, request: Request) -> Call[None]:
        """Send what answers nothing but that it is done."""
        check_done((yield from self._send(request)))

    def _get(self, request: Request, into: type[T]) -> Call[T]:
        return decode((yield from self._send(request)), into)

    def _post(self, path: str, into: type[T], **body: object) -> Call[T]:
        """Send what is not to be done twice."""
        request = Request(method="POST", path=path, body=encode(**body), repeatable=False)
        return (yield from self._get(request, into))


def encode(**body: object) -> bytes:
    """Return a JSON object of what was given."""
    return msgspec.json.encode({name: value for name, value in body.items() if value is not None})


def given(**parameters: datetime | int | str | None) -> dict[str, str]:
    """Return the parameters that were given, as a query bears them."""
    return {name: _write(name, value) for name, value in parameters.items() if value is not None}


def _write(name: str, value: datetime | int | str) -> str:
    """Return a parameter as a query bears it.

    Raises: ValueError for a time without a zone.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(int(value))  # a Status as its number
    if value.tzinfo is None:
        raise ValueError(f"{name}: a time without a zone; use datetime.now(UTC) or .astimezone()")
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
