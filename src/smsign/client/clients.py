"""The two clients: all API calls over a synchronous or an asynchronous transport."""

from __future__ import annotations

from smsign.client.callbacks import Callbacks
from smsign.client.decorators import add_methods
from smsign.client.signatures import Signatures
from smsign.client.transport import AsyncTransport, SyncTransport


@add_methods
class Client(Signatures, Callbacks, SyncTransport):
    """A synchronous client. Close it, or use it in a `with` statement; threads may share it.

    `base_url` is the address of the service, with or without `/v1`. `retries` is the maximum number of
    retries after a connection error, 429 or 5xx; `language` ("zh", "en") is that of error messages; `http` is
    an httpx2.Client with settings of your own, such as proxies and certificates.

        with Client.from_env() as client:
            app = client.get_app()
            print(app.name, app.request_id)
    """


@add_methods
class AsyncClient(Signatures, Callbacks, AsyncTransport):
    """The asynchronous client: the same methods, to be awaited.

    `http` is an httpx2.AsyncClient; the other arguments are those of `Client`.

        async with AsyncClient.from_env() as client:
            sign_id = await client.create_sign("极光推送")
            async for each in client.iter_signs():
                print(each.sign, each.status)
    """
