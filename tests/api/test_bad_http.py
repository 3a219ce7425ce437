"""Malformed HTTP, which never reaches smsign: granian sends the response, or closes the connection."""

from __future__ import annotations

import socket

import pytest

from tests.api import raw
from tests.api.raw import MULTIPART, basic
from tests.running import Key, Server, read_response

MALFORMED = {
    "two lengths": (400, "POST /v1/sign HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde"),
    "a negative length": (400, "POST /v1/sign HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
    "a length with a sign": (400, "POST /v1/sign HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc"),
    "a length of 25 digits": (400, f"POST /v1/sign HTTP/1.1\r\nContent-Length: {'9' * 25}\r\n\r\n"),
    "a length of letters": (400, "POST /v1/sign HTTP/1.1\r\nContent-Length: five\r\n\r\nabcde"),
    "an encoding that is not chunked": (
        400,
        "POST /v1/sign HTTP/1.1\r\nTransfer-Encoding: xchunked\r\nContent-Length: 3\r\n\r\nabc",
    ),
    "an encoding of nothing": (
        400,
        "POST /v1/sign HTTP/1.1\r\nTransfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc",
    ),
    "a space before the colon": (
        400,
        "POST /v1/sign HTTP/1.1\r\nTransfer-Encoding : chunked\r\nContent-Length: 3\r\n\r\nabc",
    ),
    "a folded header": (400, "GET /healthz HTTP/1.1\r\nX-A: a\r\n b\r\n\r\n"),
    "a NUL in a header": (400, "GET /healthz HTTP/1.1\r\nX-A: a\0b\r\n\r\n"),
    "a garbage request line": (400, "GARBAGE\r\n\r\n"),
    "a request line of HTTP/0.9": (400, "GET /healthz\r\n\r\n"),
    "a TLS greeting": (400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "a path of 100,000 bytes": (414, f"GET /v1/sign/{'1' * 100_000} HTTP/1.1\r\n\r\n"),
    "2,000 header lines": (
        431,
        f"GET /healthz HTTP/1.1\r\n{''.join(f'X-{n}: a' + chr(13) + chr(10) for n in range(2000))}\r\n",
    ),
}


@pytest.mark.parametrize("what", sorted(MALFORMED))
def test_malformed_http_gets_an_empty_response_and_connection_close(server: Server, what: str) -> None:
    status, text = MALFORMED[what]
    with raw.nothing_changes(server), socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(10)
        connection.sendall(text.encode("latin-1"))
        response = raw.parse(read_response(connection))
        assert (response.status, response.headers["connection"], response.body) == (status, "close", b"")
        assert connection.recv(1) == b""


def test_transfer_encoding_wins_over_content_length_and_the_connection_closes(
    server: Server, reader: Key
) -> None:
    """RFC 9112, 6.3: what follows must never be parsed as a request."""
    head = "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"
    data = raw.request("POST", "/v1/sign", auth=basic(reader), content_type=MULTIPART, head=head)
    smuggled = raw.request("GET", "/healthz")
    with raw.nothing_changes(server), socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(10)
        connection.sendall(data + b"0\r\n\r\n" + smuggled)
        response = raw.parse(read_response(connection))
        assert (response.code, response.headers["connection"]) == (50003, "close")
        assert connection.recv(65536) == b""


@pytest.mark.slow
def test_an_unread_body_is_never_parsed_as_requests(server: Server) -> None:
    smuggled = raw.request("GET", "/healthz") * 100
    data = raw.request("POST", "/v1/sign", head="Content-Length: 1000000\r\n") + smuggled
    with raw.nothing_changes(server), socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(20)
        connection.sendall(data)
        assert raw.parse(read_response(connection)).code == 50001
        assert connection.recv(65536) == b""


def test_a_malformed_chunk_is_an_error(server: Server, reader: Key) -> None:
    head = "Transfer-Encoding: chunked\r\n"
    data = raw.request("POST", "/v1/sign", auth=basic(reader), content_type=MULTIPART, head=head)
    for broken in (b"ZZ\r\n\r\n", b"5\r\nabcdefgh\r\n", b"ffffffffffffffffff\r\nx"):
        with raw.nothing_changes(server):
            assert raw.send(server, data + broken).code == 50007
