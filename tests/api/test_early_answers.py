"""Answers that come before the body: the sender reads them, and what follows on the connection is clear."""

from __future__ import annotations

import socket

import pytest

from tests.api import raw
from tests.api.raw import MULTIPART, Answer, basic, form, part
from tests.running import Key, Server, read_answer

BODY_BYTES = 3_000_000


def ask(connection: socket.socket, data: bytes) -> Answer:
    connection.sendall(data)
    return raw.parse(read_answer(connection))


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/v1/app", 200),
        ("DELETE", "/v1/signs/in-use", 200),
        ("GET", "/healthz", 200),
        ("GET", "/v1/sign/0", 403),
        ("POST", "/nowhere", 404),
    ],
)
def test_a_body_that_nobody_asked_for_is_taken_and_the_connection_goes_on(
    server: Server, reader: Key, method: str, path: str, status: int
) -> None:
    data = raw.request(method, path, auth=basic(reader), body=b"x" * BODY_BYTES)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        answer = ask(connection, data)
        assert answer.status == status
        assert "connection" not in answer.headers
        assert ask(connection, raw.request("GET", "/healthz")).status == 200


@pytest.mark.parametrize(
    "method, path, content_type, key, status",
    [
        ("POST", "/v1/sign", MULTIPART, Key("a" * 24, "b" * 24), 401),
        ("POST", "/v1/sign", "application/json", None, 415),
        ("PUT", "/v1/sign/0", MULTIPART, None, 403),
        ("GET", "/v1/app", MULTIPART, None, 200),
        ("POST", "/nowhere", MULTIPART, None, 404),
    ],
)
def test_who_waits_to_be_asked_for_the_body_and_is_not_is_reported_that_the_connection_ends(
    server: Server, reader: Key, method: str, path: str, content_type: str, key: Key | None, status: int
) -> None:
    """RFC 9110, 10.1.1. Else the request that a sender goes on with is read as the body that it kept back."""
    head = f"Expect: 100-continue\r\nContent-Length: {BODY_BYTES}\r\n"
    data = raw.request(method, path, auth=basic(key or reader), content_type=content_type, head=head)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        answer = ask(connection, data)
        assert (answer.status, answer.headers["connection"]) == (status, "close")


def test_who_is_asked_for_the_body_keeps_the_connection(server: Server, reader: Key) -> None:
    body = form(part("sign", "【】"))
    head = f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n"
    data = raw.request("POST", "/v1/sign", auth=basic(reader), content_type=MULTIPART, head=head)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(data)
        assert read_answer(connection) == b"HTTP/1.1 100 Continue\r\n\r\n"
        answer = ask(connection, body)
        assert answer.code == 50104
        assert "connection" not in answer.headers
        assert ask(connection, raw.request("GET", "/healthz")).status == 200
