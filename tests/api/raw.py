"""Requests written out byte by byte, and answers read the same way; what a request left behind.

Nothing here mends what a test breaks: no client library stands between a test and the server.
"""

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
from tests.running import Key, Server, read_answer

SIGN = "极光推送"
TABLES = ("signature", "version", "image", "event", "callback", "outbox", "delivery")
BOUNDARY = "smsign-test"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


class Answer(msgspec.Struct, frozen=True):
    """One HTTP answer; header names in lower case."""

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


def parse(data: bytes) -> Answer:
    """Return the answer in `data`; one that never came is an assertion."""
    assert data.startswith(b"HTTP/1."), f"no answer: {data[:200]!r}"
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return Answer(int(first.split()[1]), {name.lower(): value for name, value in headers.items()}, body)


def send(server: Server, data: bytes, *, source: str = "127.0.0.1") -> Answer:
    """Send a request from the address `source`; return its answer."""
    with socket.create_connection(
        ("127.0.0.1", server.port), timeout=30, source_address=(source, 0)
    ) as connection:
        connection.sendall(data)
        answer = parse(read_answer(connection))
    words = data.partition(b"\r\n")[0].decode("latin-1").split(" ")
    if len(words) == 3:
        document.check(words[0], words[1], answer.status, answer.headers, answer.body)
    return answer


def query(server: Server, key: Key, sign_id: int | str, *, head: str = "") -> Answer:
    return send(server, request("GET", f"/v1/sign/{sign_id}", auth=basic(key), head=head))


def create(server: Server, key: Key, *parts: bytes, head: str = "") -> Answer:
    """Create a signature, of the parts given or of SIGN alone."""
    body = form(*(parts or (part("sign", SIGN),)))
    return send(
        server, request("POST", "/v1/sign", auth=basic(key), content_type=MULTIPART, body=body, head=head)
    )


def modify(server: Server, key: Key, sign_id: int, *parts: bytes, method: str = "PUT") -> Answer:
    body = form(*(parts or (part("sign", SIGN),)))
    return send(
        server,
        request(method, f"/v1/sign/{sign_id}", auth=basic(key), content_type=MULTIPART, body=body),
    )


def delete(server: Server, key: Key, sign_id: int) -> Answer:
    return send(server, request("DELETE", f"/v1/sign/{sign_id}", auth=basic(key)))


def rows(server: Server, sql: str, *args: object) -> list[tuple[Any, ...]]:
    """Return rows of the server's database, read by this process."""

    async def work(stores: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await stores.db.read.all(sql, *args)]

    return list(server.do(work))


@contextlib.contextmanager
def nothing_changes(server: Server) -> Iterator[None]:
    """Assert that what runs inside adds no row and no file, and leaves nothing half uploaded."""
    before = _census(server)
    yield
    spool = server.data / "blobs" / "incoming"
    deadline = time.monotonic() + 10
    while list(spool.iterdir()) and time.monotonic() < deadline:  # a sender who left is noticed soon
        time.sleep(0.02)
    assert list(spool.iterdir()) == []
    assert _census(server) == before
    assert parse(server.raw(request("GET", "/healthz"))).status == 200


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
