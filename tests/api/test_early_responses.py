"""Responses before the body was read: the client gets them, and the connection stays in sync."""

from __future__ import annotations

import socket

import pytest

from tests.api import raw
from tests.api.raw import MULTIPART, Response, basic, form, part
from tests.running import Key, Server, read_response

BODY_BYTES = 3_000_000


def send(connection: socket.socket, data: bytes) -> Response:
    connection.sendall(data)
    return raw.parse(read_response(connection))


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
def test_an_unexpected_body_is_drained_and_the_connection_stays_open(
    server: Server, reader: Key, method: str, path: str, status: int
) -> None:
    data = raw.request(method, path, auth=basic(reader), body=b"x" * BODY_BYTES)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        response = send(connection, data)
        assert response.status == status
        assert "connection" not in response.headers
        assert send(connection, raw.request("GET", "/healthz")).status == 200


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
def test_expect_continue_gets_connection_close_if_the_body_is_not_wanted(
    server: Server, reader: Key, method: str, path: str, content_type: str, key: Key | None, status: int
) -> None:
    """RFC 9110, 10.1.1: or else the next request would be read as the body that was not sent."""
    head = f"Expect: 100-continue\r\nContent-Length: {BODY_BYTES}\r\n"
    data = raw.request(method, path, auth=basic(key or reader), content_type=content_type, head=head)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        response = send(connection, data)
        assert (response.status, response.headers["connection"]) == (status, "close")


def test_expect_continue_gets_100_continue_and_the_connection_stays_open(server: Server, reader: Key) -> None:
    body = form(part("sign", "【】"))
    head = f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n"
    data = raw.request("POST", "/v1/sign", auth=basic(reader), content_type=MULTIPART, head=head)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(data)
        assert read_response(connection) == b"HTTP/1.1 100 Continue\r\n\r\n"
        response = send(connection, body)
        assert response.code == 50104
        assert "connection" not in response.headers
        assert send(connection, raw.request("GET", "/healthz")).status == 200
