"""The two clients: all calls, and one way or the other to carry them out."""

from __future__ import annotations

from smsign.client.callbacks import Callbacks
from smsign.client.drivers import Async, Blocking
from smsign.client.signatures import Signatures


class Client(Signatures, Callbacks, Blocking):
    """Calls the service and waits for its answer. Close it, or use it in a `with`; threads may share it.

    `base_url` is the service's address, with or without `/v1`. `retries` bounds how often a request is sent
    again after a lost connection, 429 or a failure of the server; `language` ("zh", "en") is that of
    reasons and hints; `http` is an httpx2.Client of your own, for proxies, certificates and the like.
    """


class AsyncClient(Signatures, Callbacks, Async):
    """The same, awaited."""
