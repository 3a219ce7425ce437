"""Send requests to untrusted receivers: all times and sizes are bounded.

Redirects are not followed, cookies not stored, proxies of the environment not used, bodies not decompressed.
Each request has a new connection, to an address that the guard has checked; the host name is used for Host,
SNI and the verification of the certificate.
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
from smsign.worker.ssrf import AddressGuard, ForbiddenAddressError

CONNECT_S = 5.0
BODY_S = 2.0
"""For the body after the headers; it is only shown to people."""
ADDRESSES = 3
"""The number of a host's addresses that are tried."""
BUSY = (429, 503)
"""The status codes for which Retry-After is read (RFC 6585, 4; RFC 9110, 15.6.4)."""
HEADERS = {"user-agent": f"smsign/{__version__}", "accept": "*/*", "accept-encoding": "identity"}
RETRY_AFTER_CHARACTERS = 64
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts no certificate; for http: URLs."""

_NO_KEEPALIVE = httpx2.Limits(max_keepalive_connections=0)


class HttpSender:
    """Sends HTTP requests, any number at once."""

    def __init__(self, guard: AddressGuard, *, timeout_s: float, tls: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        self._timeout_s = timeout_s
        self._tls = tls

    async def check(self, url: str) -> str:
        """Return why no request may be sent to `url`, or an empty text."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._resolve(httpx2.URL(url))
        except (ForbiddenAddressError, httpx2.InvalidURL) as error:
            return str(error)
        except TimeoutError:
            return "DNS timeout"
        return ""

    async def send(self, request: OutgoingRequest) -> Response:
        """Send a request; return the status and the beginning of the body, or the error."""
        started = time.perf_counter()
        status, text, retry_after_s = None, b"", 0.0
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                httpx2.AsyncHTTPTransport(
                    verify=self._context(request.url), limits=_NO_KEEPALIVE
                ) as transport,
            ):
                response = await self._send(transport, request)
                status = response.status_code
                error = "redirects are not followed" if 300 <= status < 400 else ""
                if status in BUSY:
                    retry_after_s = _retry_after_s(response.headers.get("retry-after", ""))
                text = await _read(response)
        except ForbiddenAddressError as failure:
            error = str(failure)
        except TimeoutError:
            error = f"no response within {self._timeout_s:g} s" if status is None else ""
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as failure:
            error = f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__
        shown = text.decode("utf-8", "replace").replace("\0", "\ufffd")
        ms = round((time.perf_counter() - started) * 1000)
        return Response(status, shown, error, ms, retry_after_s)

    def _context(self, url: str) -> ssl.SSLContext:
        """Return the TLS context; loading the certificate authorities takes a tenth of a second, once."""
        if not url.startswith("https:"):
            return _NO_TLS
        if self._tls is None:
            self._tls = httpx2.create_ssl_context()
        return self._tls

    async def _send(self, transport: httpx2.AsyncHTTPTransport, outgoing: OutgoingRequest) -> httpx2.Response:
        url = httpx2.URL(outgoing.url)
        host, addresses = url.raw_host.decode(), await self._resolve(url)
        for left in reversed(range(len(addresses))):
            headers = HEADERS | outgoing.headers
            request = httpx2.Request(outgoing.method, url, headers=headers, content=outgoing.body or None)
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
    """Return a sender for these settings.

    Raises: SetupError for an invalid list of networks.
    """
    return HttpSender(
        AddressGuard(networks("callback_networks", settings.callback_networks)),
        timeout_s=settings.callback_timeout,
    )


def _retry_after_s(text: str) -> float:
    """Parse Retry-After: seconds or a date (RFC 9110, 10.2.3); 0 if invalid."""
    text = text.strip()[:RETRY_AFTER_CHARACTERS]
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time()) if text else 0.0
    except (ValueError, OverflowError):
        return 0.0


async def _read(response: httpx2.Response) -> bytes:
    """Return the beginning of the body; errors after that are ignored."""
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
