"""What a handler works with."""

from __future__ import annotations

import ipaddress
import time

import msgspec

from smsign.config import Network, Settings, networks
from smsign.domain.callbacks import Sender
from smsign.domain.signatures import Rules
from smsign.http.throttle import Throttle
from smsign.http.wire import Request
from smsign.log import Log
from smsign.storage.blobs.store import Blobs
from smsign.storage.engine.protocol import Database
from smsign.storage.open import Stores
from smsign.storage.vault import Vault


class Service(msgspec.Struct):
    """The stores, the settings and the clock of one server process."""

    settings: Settings
    rules: Rules
    db: Database
    blobs: Blobs
    vault: Vault
    log: Log
    throttle: Throttle
    sender: Sender
    trusted: tuple[Network, ...]
    stopping: bool = False

    def now(self) -> int:
        """Return the time in UTC microseconds."""
        return time.time_ns() // 1000

    def is_https(self, request: Request) -> bool:
        """Say whether a request came over HTTPS, here or at a proxy before.

        X-Forwarded-Proto is believed from anyone: it changes nothing but the sender's own cookies and links.
        """
        return bool(self.settings.tls_cert) or request.header(b"x-forwarded-proto") == "https"

    def origin(self, request: Request) -> str:
        """Return how a client reached this server: scheme and host, as it says; not fit for HTML as it is."""
        host = request.header(b"host") or f"{self.settings.host}:{self.settings.port}"
        return f"{'https' if self.is_https(request) else 'http'}://{host}"


def make_service(settings: Settings, stores: Stores, log: Log, sender: Sender) -> Service:
    """Wire a service.

    Raises: SetupError for a malformed list of trusted proxies.
    """
    return Service(
        settings,
        settings.rules,
        stores.db,
        stores.blobs,
        stores.vault,
        log,
        Throttle(settings.auth_failures, settings.auth_window),
        sender,
        networks("trusted_proxies", settings.trusted_proxies),
    )


def client_address(peer: str, forwarded: str, trusted: tuple[Network, ...]) -> str:
    """Return who sent a request: the peer, or what the last proxy that is not trusted is said to be.

    X-Forwarded-For is read from the right, and only as far as those who wrote it are trusted. Over a Unix
    socket the peer has no address; whoever may open the socket is trusted.
    """
    address = peer
    for part in reversed(forwarded.split(",")):
        if not _trusts(address, trusted) or not (part := part.strip()):
            break
        address = part
    return address


def _trusts(address: str, trusted: tuple[Network, ...]) -> bool:
    if not address:
        return True
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(number in network for network in trusted)
