"""Which addresses may be sent to: public ones, and those of networks that the operator names.

A name is resolved once. If any address that it resolves to is refused, the name is; else the connection goes
to the very addresses that were looked at, so that a name that changes its mind in between gains nothing.
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
"""Returns the addresses of a name, as texts. Raises: OSError."""

LOOKUP_THREADS = 32
"""A resolver that never answers holds one for as long as it likes; the others go on."""

REFUSED: tuple[tuple[Network, str], ...] = tuple(
    (ipaddress.ip_network(network), name)
    for network, name in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by carriers"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a cloud's own service"),
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


class RefusedAddressError(Exception):
    """A name that may not be sent to; the message says why."""


class Guard:
    """Resolves names and looks at what they resolve to."""

    def __init__(self, allowed: Sequence[Network], lookup: Lookup | None = None) -> None:
        self._allowed = allowed
        self._lookup = lookup or _Resolver()

    async def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of `host`, each of which may be connected to.

        Raises: RefusedAddressError when one of them may not, or there are none.
        """
        try:
            found = list(dict.fromkeys(await self._lookup(host, port)))
        except (OSError, UnicodeError) as error:
            raise RefusedAddressError(f"{host} does not resolve: {error}") from error
        if not found:
            raise RefusedAddressError(f"{host} does not resolve")
        for address in found:
            if why := fault(address, self._allowed):
                raise RefusedAddressError(f"{host} resolves to {address}, {why}")
        return found


def fault(text: str, allowed: Sequence[Network]) -> str:
    """Return why an address may not be connected to, or an empty text."""
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return "which is no address"
    judged = _carried(address) or address
    if any(each in network for network in allowed for each in (address, judged)):
        return ""
    for network, name in REFUSED:
        if judged in network:
            return f"which is not public ({name})"
    return "" if judged.is_global else "which is not public"


def _carried(address: Address) -> Address | None:
    """Return the IPv4 address that an IPv6 one stands for: mapped, by 6to4, or by NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


class _Resolver:
    """The system's resolver, on a thread pool."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, "lookup")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port)


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]
