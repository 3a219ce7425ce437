"""Requests and responses byte by byte, without a client library; what they leave behind."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tests.api import document
from tests.running import Key, Server, read_response

SIGN = "极光推送"
TABLES = ("signature", "version", "image", "event", "callback", "outbox", "delivery")
BOUNDARY = "smsign-test"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
ERROR_S, ERROR_MB = 5.0, 40.0
"""The most that an error may take in time, and in a worker's memory; most take milliseconds."""


class Response(msgspec.Struct, frozen=True):
    """One HTTP response; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> int:
        """The contract's code: 50000 for a success."""
        return int(self.json()["error"]["code"]) if self.status >= 300 else 50000

    @property
    def details(self) -> list[dict[str, str]]:
        return list(self.json()["error"]["details"])

    @property
    def sign_id(self) -> int:
        return int(self.json()["sign_id"])


def basic(key: Key) -> str:
    """Return the Authorization header of a key."""
    return "Basic " + base64.b64encode(f"{key.app_key}:{key.master_secret}".encode()).decode()


def part(name: str, data: bytes | str, *, filename: str | None = None, head: str = "") -> bytes:
    """Return one part of a form, its delimiter in front."""
    named = f'; filename="{filename}"' if filename is not None else ""
    content = data.encode() if isinstance(data, str) else data
    start = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n{head}\r\n'
    return start.encode() + content + b"\r\n"


GOOD = part("sign", SIGN)


def form(*parts: bytes) -> bytes:
    """Return a whole form."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def request(
    method: str,
    path: str,
    *,
    auth: str | None = None,
    content_type: str | None = None,
    body: bytes | None = None,
    head: str = "",
) -> bytes:
    """Return a request as it goes over the wire; `head` is further header lines, each with its CRLF."""
    lines = f"{method} {path} HTTP/1.1\r\nHost: smsign.test\r\n"
    if auth is not None:
        lines += f"Authorization: {auth}\r\n"
    if content_type is not None:
        lines += f"Content-Type: {content_type}\r\n"
    if body is not None:
        lines += f"Content-Length: {len(body)}\r\n"
    return (lines + head + "\r\n").encode("latin-1") + (body or b"")


def parse(data: bytes) -> Response:
    """Parse a response; assert that there is one."""
    assert data.startswith(b"HTTP/1."), f"no response: {data[:200]!r}"
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return Response(int(first.split()[1]), {name.lower(): value for name, value in headers.items()}, body)


def send(server: Server, data: bytes, *, source: str = "127.0.0.1") -> Response:
    """Send a request from the address `source`; return its response."""
    with socket.create_connection(
        ("127.0.0.1", server.port), timeout=30, source_address=(source, 0)
    ) as connection:
        connection.sendall(data)
        response = parse(read_response(connection))
    words = data.partition(b"\r\n")[0].decode("latin-1").split(" ")
    if len(words) == 3:
        document.check(words[0], words[1], response.status, response.headers, response.body)
    return response


def get(server: Server, path: str, *, head: str = "") -> Response:
    return send(server, request("GET", path, head=head))


def query(server: Server, key: Key, sign_id: int | str, *, head: str = "") -> Response:
    return send(server, request("GET", f"/v1/sign/{sign_id}", auth=basic(key), head=head))


def create(server: Server, key: Key, *parts: bytes, head: str = "") -> Response:
    """Create a signature from `parts`, or from SIGN alone."""
    body = form(*(parts or (part("sign", SIGN),)))
    return send(
        server, request("POST", "/v1/sign", auth=basic(key), content_type=MULTIPART, body=body, head=head)
    )


def modify(server: Server, key: Key, sign_id: int, *parts: bytes, method: str = "PUT") -> Response:
    body = form(*(parts or (part("sign", SIGN),)))
    return send(
        server,
        request(method, f"/v1/sign/{sign_id}", auth=basic(key), content_type=MULTIPART, body=body),
    )


def delete(server: Server, key: Key, sign_id: int) -> Response:
    return send(server, request("DELETE", f"/v1/sign/{sign_id}", auth=basic(key)))


def rows(server: Server, sql: str, *args: object) -> list[tuple[Any, ...]]:
    """Return rows of the server's database, read by this process."""

    async def work(stores: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await stores.db.read.all(sql, *args)]

    return list(server.do(work))


@contextlib.contextmanager
def nothing_changes(server: Server) -> Iterator[None]:
    """Assert that the block adds no row and no file, and leaves the spool empty."""
    before = _census(server)
    yield
    spool = server.data / "blobs" / "incoming"
    deadline = time.monotonic() + 10
    while list(spool.iterdir()) and time.monotonic() < deadline:  # a disconnect is noticed soon
        time.sleep(0.02)
    assert list(spool.iterdir()) == []
    assert _census(server) == before
    assert parse(server.raw(request("GET", "/healthz"))).status == 200


def post(key: Key, body: bytes, *, content_type: str | None = MULTIPART) -> bytes:
    """Return the request of a create."""
    return request("POST", "/v1/sign", auth=basic(key), content_type=content_type, body=body)


def expect_error(server: Server, data: bytes, code: int) -> Response:
    """Send `data`; assert that the response is the error `code`, costs little, and changes nothing."""
    (worker,) = workers(server)
    before = peak_megabytes(worker, reset=True)
    with nothing_changes(server):
        started = time.monotonic()
        response = send(server, data)
        assert time.monotonic() - started < ERROR_S
    assert peak_megabytes(worker) - before < ERROR_MB
    assert response.code == code, response.body
    assert response.details
    return response


def _census(server: Server) -> tuple[object, ...]:
    counted = ", ".join(f"(SELECT count(*) FROM {table})" for table in TABLES)
    files = sorted(file for file in (server.data / "blobs").rglob("*") if file.is_file())
    return rows(server, f"SELECT {counted}")[0], files


def workers(server: Server) -> list[int]:
    """Return the process ids of the server's workers."""
    return [int(pid) for pid in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()]


def peak_megabytes(pid: int, *, reset: bool = False) -> float:
    """Return the most memory that a process has had resident since the last reset, in MB."""
    process = Path(f"/proc/{pid}")
    if reset:
        (process / "clear_refs").write_text("5")
    line = next(line for line in (process / "status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1000
