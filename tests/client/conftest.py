"""Fixtures: both clients behind one interface, and a fake service that plays a script."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from smsign.client import AsyncClient, Client
from tests.running import Key, Server

Script = Callable[[int, bytes], bytes | None]
"""(number of the request, its bytes) -> the bytes of the response; None closes the connection without one."""


class Awaited:
    """An AsyncClient with the interface of a Client: each call is awaited on its event loop."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self._client = AsyncClient(*given, **named)
        self._loop = asyncio.new_event_loop()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def run(*given: Any, **named: Any) -> Any:
            made = method(*given, **named)
            return self._loop.run_until_complete(made if inspect.isawaitable(made) else _list(made))

        return run

    def close(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()


async def _list(iterated: Any) -> list[Any]:
    return [each async for each in iterated]


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., Client]]:
    """Return a function that makes a client; runs each test with a Client and with an AsyncClient."""
    made: list[Any] = []

    def make(url: str, key: Key = Key("a" * 24, "b" * 24), **named: Any) -> Client:  # noqa: B008
        kind: Any = Client if request.param == "sync" else Awaited
        made.append(kind(url, key.app_key, key.master_secret, **named))
        return made[-1]  # type: ignore[no-any-return]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def app(server: Server) -> Key:
    return server.make_app()


@pytest.fixture
def client(server: Server, app: Key, connect: Callable[..., Client]) -> Client:
    return connect(server.url, app)


class FakeService:
    """A service on a real socket that responds by its script, one request per connection."""

    def __init__(self, script: Script) -> None:
        self.requests: list[bytes] = []
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def header(self, number: int, name: str) -> str:
        """Return a header of a received request."""
        for line in self.requests[number].split(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
            if line.lower().startswith(name.encode() + b":"):
                return line.split(b":", 1)[1].strip().decode()
        return ""

    def body(self, number: int) -> bytes:
        return self.requests[number].partition(b"\r\n\r\n")[2]

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    got = _request(connection)
                    self.requests.append(got)
                    if reply := self._script(len(self.requests) - 1, got):
                        connection.sendall(reply)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


def _request(connection: socket.socket) -> bytes:
    got = b""
    while b"\r\n\r\n" not in got and (piece := connection.recv(65536)):
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = sum(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
    while len(body) < length and (piece := connection.recv(65536)):
        body += piece
    return head + b"\r\n\r\n" + body


@pytest.fixture
def fake_service() -> Iterator[Callable[[Script], FakeService]]:
    """Return a function that starts a fake service with a script."""
    started: list[FakeService] = []

    def start(script: Script) -> FakeService:
        started.append(FakeService(script))
        return started[-1]

    yield start
    for service in started:
        service.close()


def response(status: int, body: str = "", *headers: str) -> bytes:
    """Return the bytes of a response."""
    raw = body.encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(raw)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw
