"""The dependencies of a request handler, and the address of a client behind reverse proxies."""

from __future__ import annotations

import ipaddress
import time

import msgspec

from smsign.config import Network, Settings, networks
from smsign.domain.callbacks import Sender
from smsign.domain.signatures import Rules
from smsign.http.throttle import Throttle
from smsign.http.wire import Request
from smsign.log import LogHandler
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
    log: LogHandler
    throttle: Throttle
    sender: Sender
    trusted: tuple[Network, ...]
    stopping: bool = False

    def now(self) -> int:
        """Return the time in UTC microseconds."""
        return time.time_ns() // 1000

    def is_https(self, request: Request) -> bool:
        """Return whether a request arrived over HTTPS, here or at a reverse proxy.

        X-Forwarded-Proto is trusted from any peer: it affects nothing but the sender's own cookies and links.
        """
        return bool(self.settings.tls_cert) or request.header(b"x-forwarded-proto") == "https"

    def origin(self, request: Request) -> str:
        """Return scheme and host as the client sent them; escape before use in HTML."""
        host = request.header(b"host") or f"{self.settings.host}:{self.settings.port}"
        return f"{'https' if self.is_https(request) else 'http'}://{host}"


def make_service(settings: Settings, stores: Stores, log: LogHandler, sender: Sender) -> Service:
    """Assemble a service.

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
    """Return the address of the client: the peer, or behind trusted proxies the one that they forward.

    X-Forwarded-For is read from the right, as long as the address that wrote an entry is a trusted proxy.
    Over a Unix socket the peer has no address, and is trusted.
    """
    address = peer
    for part in reversed(forwarded.split(",")):
        if not _is_trusted(address, trusted) or not (part := part.strip()):
            break
        address = part
    return address


def _is_trusted(address: str, trusted: tuple[Network, ...]) -> bool:
    if not address:
        return True
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(number in network for network in trusted)
