"""A test receiver of callbacks on plain sockets, so that it can violate HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec


class Received(msgspec.Struct, frozen=True):
    """One request; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def position(self) -> tuple[int, int]:
        """The signature id and the event's number, in the standard format."""
        data = self.json["data"]
        return data["sign_id"], data["seq"]


Behaviour = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


async def accept(_: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


async def echo(got: Received, writer: asyncio.StreamWriter) -> None:
    text = got.target.partition("echostr=")[2].encode() if got.method == "GET" else b"ok"
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)


def respond(data: bytes, *, then_wait_s: float = 0.0) -> Behaviour:
    """Return a behaviour that sends exactly these bytes."""

    async def behave(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(then_wait_s)

    return behave


def status(number: int) -> Behaviour:
    return respond(b"HTTP/1.1 %d X\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody" % number)


async def hang(_: Received, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


class Receiver:
    """Listens on a loopback address, on a separate thread."""

    def __init__(self, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.host = host
        self.port = 0
        self.requests: list[Received] = []
        self.behave: Behaviour = accept
        self.connections = 0
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/hook"

    def open(self) -> Receiver:
        """Start to listen, on the same port as before."""
        if not self._thread.is_alive():
            self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def close(self) -> None:
        """Stop listening: connections are refused."""
        if self._server is not None:
            self._loop.call_soon_threadsafe(self._server.close)
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop).result(10)
            self._server = None

    def end(self) -> None:
        """Stop listening, drop open connections, end the thread."""
        self.close()
        asyncio.run_coroutine_threadsafe(self._cancel_all(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def wait_for(
        self, enough: Callable[[list[Received]], bool], *, timeout_s: float = 20.0
    ) -> list[Received]:
        """Wait until enough requests were received; return them."""
        deadline = time.monotonic() + timeout_s
        while not enough(self.requests) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert enough(self.requests), f"{len(self.requests)} requests within {timeout_s} s"
        return self.requests

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, self.host, self.port, ssl=self._tls, limit=1 << 20)

    async def _cancel_all(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            method, target, _ = first.split(" ")
            got = Received(method, target, headers, body, time.time())
            self.requests.append(got)
            await self.behave(got, writer)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()


def first_arrivals(requests: Iterable[Received]) -> list[tuple[int, int]]:
    """Return each (signature id, seq) once, in the order of first arrival."""
    return list(dict.fromkeys(each.position for each in requests))


def check_order(requests: Iterable[Received]) -> None:
    """Assert that the events of each signature first arrived in order and without gaps."""
    last: dict[int, int] = {}
    for sign_id, seq in first_arrivals(requests):
        assert seq == last.get(sign_id, 0) + 1, f"signature {sign_id}: {seq} after {last.get(sign_id, 0)}"
        last[sign_id] = seq
