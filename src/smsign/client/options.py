"""What a client is made with: the address, the credentials and the HTTP client, all checked at once."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

import httpx2

from smsign import __version__
from smsign.client.multipart import Body, SubmissionForm
from smsign.client.retry import Request

H = TypeVar("H", httpx2.Client, httpx2.AsyncClient)

URL, APP_KEY, MASTER_SECRET = "SMSIGN_URL", "SMSIGN_APP_KEY", "SMSIGN_MASTER_SECRET"
"""The variables that `from_env` reads, and the command line too."""

USER_AGENT = f"smsign/{__version__} (python {'.'.join(map(str, sys.version_info[:3]))}; {sys.platform})"


def environment() -> tuple[str, str, str]:
    """Return the address, the appKey and the masterSecret that the environment has.

    Raises: ValueError, which names the missing variables.
    """
    values = (os.environ.get(URL, ""), os.environ.get(APP_KEY, ""), os.environ.get(MASTER_SECRET, ""))
    if missing := [name for name, value in zip((URL, APP_KEY, MASTER_SECRET), values) if not value]:
        raise ValueError(f"not set in the environment: {', '.join(missing)}")
    return values


def check_http(http: H, expected: type[H]) -> H:
    """Return `http` if it is a client of httpx2 and of the right kind.

    Raises: TypeError, which says what to pass.
    """
    if isinstance(http, expected):
        return http
    kind = http if isinstance(http, type) else type(http)
    found = f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"
    wanted = f"httpx2.{expected.__name__}"
    if http is kind:
        fix = f"pass an instance: {wanted}()"
    elif isinstance(http, (httpx2.BaseTransport, httpx2.AsyncBaseTransport)):
        fix = f"pass {wanted}(transport=…)"
    else:
        fix = f"pass an {wanted} with your settings (proxy, verify, timeout …), or leave http out"
    raise TypeError(f"http: {found} is not an {wanted}; {fix}")


class Options:
    """The address of the service, the credentials and the number of retries."""

    def __init__(
        self, base_url: str, app_key: str, master_secret: str, *, retries: int, language: str
    ) -> None:
        if retries < 0:
            raise ValueError(f"retries: {retries} is negative; 0 is a single attempt")
        try:
            url = httpx2.URL(base_url)
        except httpx2.InvalidURL as error:
            raise ValueError(f"base_url: {base_url!r}: {error}") from error
        if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
            raise ValueError(f"base_url: {base_url!r} is not the address of a service; write https://HOST")
        # The vendor's documentation gives its address with /v1, others without.
        self.base_url = str(url).rstrip("/").removesuffix("/v1")
        self.app_key = app_key
        self.retries = retries
        self.auth = httpx2.BasicAuth(app_key, master_secret)
        self._headers = {"accept-language": language} if language else {}

    def request(self, step: Request, body: Body | None) -> httpx2.Request:
        """Return the HTTP request of `step`."""
        headers = {**self._headers, **step.headers}
        stream: _Stream | None = None
        content: bytes | None = None
        if isinstance(step.body, SubmissionForm):
            assert body is not None
            stream = _Stream(body)
            headers |= {"content-type": step.body.content_type, "content-length": str(body.length)}
        elif step.body is not None:
            content = step.body
            headers["content-type"] = "application/json"
        request = httpx2.Request(
            step.method,
            self.base_url + step.path,
            params=step.query or None,
            headers={"user-agent": USER_AGENT, "accept": "*/*", **headers},
            content=content,
            stream=stream,
        )
        request.headers.setdefault("host", request.url.netloc.decode("ascii"))
        return request


class _Stream(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """The request body of one attempt, for either client."""

    def __init__(self, body: Body) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return self._body.chunks()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = self._body.chunks()
        while chunk := await asyncio.to_thread(next, chunks, b""):
            yield chunk
