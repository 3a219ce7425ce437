"""A receiver of callbacks on plain sockets, so that it can misbehave as no framework would let it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec


class Got(msgspec.Struct, frozen=True):
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
    def place(self) -> tuple[int, int]:
        """The signature and the number of the event, of the standard form."""
        data = self.json["data"]
        return data["sign_id"], data["seq"]


Behaviour = Callable[[Got, asyncio.StreamWriter], Awaitable[None]]


async def well(_: Got, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


async def echo(got: Got, writer: asyncio.StreamWriter) -> None:
    text = got.target.partition("echostr=")[2].encode() if got.method == "GET" else b"ok"
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)


def says(data: bytes, *, then_wait_s: float = 0.0) -> Behaviour:
    """Return a behaviour that answers these very bytes."""

    async def behave(_: Got, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(then_wait_s)

    return behave


def status(number: int) -> Behaviour:
    return says(b"HTTP/1.1 %d Told\r\nContent-Length: 4\r\nConnection: close\r\n\r\ntold" % number)


async def silent(_: Got, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


class Receiver:
    """Listens on an address of the loopback network from when it is started, on a thread."""

    def __init__(self, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.host = host
        self.port = 0
        self.got: list[Got] = []
        self.behave: Behaviour = well
        self.connections = 0
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/callback"

    def open(self) -> Receiver:
        """Listen, on the same port as before if there was one."""
        if not self._thread.is_alive():
            self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def close(self) -> None:
        """Be down: connections are refused."""
        if self._server is not None:
            self._loop.call_soon_threadsafe(self._server.close)
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop).result(10)
            self._server = None

    def end(self) -> None:
        self.close()
        asyncio.run_coroutine_threadsafe(self._cancel_all(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def wait_for(self, enough: Callable[[list[Got]], bool], *, timeout_s: float = 20.0) -> list[Got]:
        """Wait until what was received is enough; return it."""
        deadline = time.monotonic() + timeout_s
        while not enough(self.got) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert enough(self.got), f"{len(self.got)} requests within {timeout_s} s"
        return self.got

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
            got = Got(method, target, headers, body, time.time())
            self.got.append(got)
            await self.behave(got, writer)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()


def firsts(got: Iterable[Got]) -> list[tuple[int, int]]:
    """Return each (signature, seq) once, in the order of its first arrival."""
    return list(dict.fromkeys(each.place for each in got))


def check_order(got: Iterable[Got]) -> None:
    """Assert that each signature's events first came in order, with no gap; any may have come again."""
    reported: dict[int, int] = {}
    for sign_id, seq in firsts(got):
        assert seq == reported.get(sign_id, 0) + 1, (
            f"signature {sign_id}: {seq} after {reported.get(sign_id, 0)}"
        )
        reported[sign_id] = seq
