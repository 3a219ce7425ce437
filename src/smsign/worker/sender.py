"""Send one request to a receiver that nothing is known of: every wait and every byte is bounded.

No redirect is followed, no cookie kept, no proxy of the environment used, nothing unpacked. A connection is
made for one request, to an address that the guard has looked at; the name stays in Host, in SNI, and in what
the certificate must prove.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime

import httpx2

from smsign import __version__
from smsign.config import Settings, networks
from smsign.domain.callbacks import RESPONSE_BYTES, OutgoingRequest, Response
from smsign.worker.guard import Guard, RefusedAddressError

CONNECT_S = 5.0
BODY_S = 2.0
"""Once a status is there, so long is waited for the rest: the text is only for people to read."""
ADDRESSES = 3
"""So many addresses of a name are tried."""
BUSY = (429, 503)
"""With these a receiver may say when to come again (RFC 6585, 4; RFC 9110, 15.6.4)."""
HEADERS = {"user-agent": f"smsign/{__version__}", "accept": "*/*", "accept-encoding": "identity"}
RETRY_AFTER_CHARACTERS = 64
_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts no certificate; for what is not encrypted."""

_ONCE = httpx2.Limits(max_keepalive_connections=0)


class HttpSender:
    """Sends over HTTP; any number of requests at once."""

    def __init__(self, guard: Guard, *, timeout_s: float, tls: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        self._timeout_s = timeout_s
        self._tls = tls

    async def check(self, url: str) -> str:
        """Return why nothing may be sent to `url`, or an empty text."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._resolve(httpx2.URL(url))
        except (RefusedAddressError, httpx2.InvalidURL) as error:
            return str(error)
        except TimeoutError:
            return "its name does not resolve in time"
        return ""

    async def send(self, sent: OutgoingRequest) -> Response:
        """Send a request; return the status with the beginning of the text, or what went wrong."""
        started = time.perf_counter()
        status, text, retry_after_s = None, b"", 0.0
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                httpx2.AsyncHTTPTransport(verify=self._context(sent.url), limits=_ONCE) as transport,
            ):
                response = await self._ask(transport, sent)
                status = response.status_code
                error = "a redirect, which is not followed" if 300 <= status < 400 else ""
                if status in BUSY:
                    retry_after_s = _retry_after_s(response.headers.get("retry-after", ""))
                text = await _read(response)
        except RefusedAddressError as failure:
            error = str(failure)
        except TimeoutError:
            error = f"no answer within {self._timeout_s:g} s" if status is None else ""
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as failure:
            error = f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__
        shown = text.decode("utf-8", "replace").replace("\0", "\ufffd")
        ms = round((time.perf_counter() - started) * 1000)
        return Response(status, shown, error, ms, retry_after_s)

    def _context(self, url: str) -> ssl.SSLContext:
        """Return what certificates are held to; reading the authorities takes a tenth of a second, once."""
        if not url.startswith("https:"):
            return _NOBODY
        if self._tls is None:
            self._tls = httpx2.create_ssl_context()
        return self._tls

    async def _ask(self, transport: httpx2.AsyncHTTPTransport, sent: OutgoingRequest) -> httpx2.Response:
        url = httpx2.URL(sent.url)
        host, addresses = url.raw_host.decode(), await self._resolve(url)
        for left in reversed(range(len(addresses))):
            headers = HEADERS | sent.headers
            request = httpx2.Request(sent.method, url, headers=headers, content=sent.body or None)
            request.url = url.copy_with(host=addresses[-1 - left])
            timeout = {"connect": CONNECT_S, "read": self._timeout_s, "write": self._timeout_s}
            request.extensions = {"timeout": timeout, "sni_hostname": host}
            try:
                return await transport.handle_async_request(request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                if not left:
                    raise
        raise AssertionError("unreachable")

    async def _resolve(self, url: httpx2.URL) -> Sequence[str]:
        host, port = url.raw_host.decode(), url.port or (443 if url.scheme == "https" else 80)
        return (await self._guard.resolve(host, port))[:ADDRESSES]


def make_sender(settings: Settings) -> HttpSender:
    """Return the sender that the settings ask for.

    Raises: SetupError for a malformed list of networks.
    """
    return HttpSender(
        Guard(networks("callback_networks", settings.callback_networks)), timeout_s=settings.callback_timeout
    )


def _retry_after_s(text: str) -> float:
    """Read Retry-After: seconds, or a date (RFC 9110, 10.2.3); 0 for what is neither."""
    text = text.strip()[:RETRY_AFTER_CHARACTERS]
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time()) if text else 0.0
    except (ValueError, OverflowError):
        return 0.0


async def _read(response: httpx2.Response) -> bytes:
    """Return the beginning of what is answered; what is wrong with the rest is of no interest."""
    text = b""
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in response.stream:  # type: ignore[union-attr]
                text += chunk
                if len(text) >= RESPONSE_BYTES:
                    break
    except (TimeoutError, httpx2.HTTPError, OSError):
        pass
    return text[:RESPONSE_BYTES]
