"""Protection against SSRF: only public addresses, and those of the networks in the settings, are allowed.

A host name is resolved once. If any of its addresses is forbidden, the request fails; else the connection
goes to the addresses that were checked, which prevents DNS rebinding.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from smsign.config import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the addresses of a host. Raises: OSError."""

LOOKUP_THREADS = 32
"""A resolver that does not respond blocks a thread; the others continue."""

FORBIDDEN: tuple[tuple[Network, str], ...] = tuple(
    (ipaddress.ip_network(network), name)
    for network, name in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "cloud platform"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "for examples"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for examples"),
        ("203.0.113.0/24", "for examples"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::/96", "reserved"),
        ("::ffff:0:0:0/96", "translation"),
        ("64:ff9b:1::/48", "local translation"),
        ("100::/64", "discarded"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "for examples"),
        ("3fff::/20", "for examples"),
        ("5f00::/16", "reserved"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class ForbiddenAddressError(Exception):
    """A host that no request may be sent to; the message has the reason."""


class AddressGuard:
    """Resolves host names and checks their addresses."""

    def __init__(self, allowed: Sequence[Network], lookup: Lookup | None = None) -> None:
        self._allowed = allowed
        self._lookup = lookup or _Resolver()

    async def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of `host`.

        Raises: ForbiddenAddressError when one of them is forbidden, or there are none.
        """
        try:
            found = list(dict.fromkeys(await self._lookup(host, port)))
        except (OSError, UnicodeError) as error:
            raise ForbiddenAddressError(f"{host} does not resolve: {error}") from error
        if not found:
            raise ForbiddenAddressError(f"{host} does not resolve")
        for address in found:
            if reason := why_forbidden(address, self._allowed):
                raise ForbiddenAddressError(f"{host} resolves to {address}, {reason}")
        return found


def why_forbidden(text: str, allowed: Sequence[Network]) -> str:
    """Return why an address is forbidden, or an empty text."""
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return "which is not an address"
    target = _embedded_ipv4(address) or address
    if any(each in network for network in allowed for each in (address, target)):
        return ""
    for network, name in FORBIDDEN:
        if target in network:
            return f"which is not public ({name})"
    return "" if target.is_global else "which is not public"


def _embedded_ipv4(address: Address) -> Address | None:
    """Return the IPv4 address that an IPv6 address leads to: IPv4-mapped, 6to4 or NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


class _Resolver:
    """The system's resolver, on separate threads."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, "lookup")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _resolve, host, port)


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]
