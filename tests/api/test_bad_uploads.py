"""Uploads that are too large, too slow or aborted."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable

import pytest

from tests.api import raw
from tests.api.raw import GOOD, MULTIPART, basic, form, part
from tests.images import noise
from tests.running import Key, Server, read_response


def test_a_content_length_of_10_gb_is_an_error_before_the_body_is_sent(server: Server, reader: Key) -> None:
    head = "Content-Length: 10000000000\r\n"
    data = raw.request("POST", "/v1/sign", auth=basic(reader), content_type=MULTIPART, head=head)
    (detail,) = raw.expect_error(server, data, 50007).details
    assert "larger than" in detail["reason"]
    assert "images" in detail["hint"]


def test_the_error_for_a_too_large_json_body_does_not_mention_images(server: Server, reader: Key) -> None:
    data = raw.request(
        "PUT",
        "/v1/signs/in-use",
        auth=basic(reader),
        content_type="application/json",
        body=b" " * 70_000,
    )
    (detail,) = raw.expect_error(server, data, 50007).details
    assert (detail["reason"], detail["hint"]) == ("larger than 65,536 bytes", "send less")


@pytest.mark.slow
def test_a_client_that_keeps_sending_10_gb_is_disconnected(server: Server, reader: Key) -> None:
    """The response is sent, then the body is drained for a short time and the connection closed."""
    head = "Content-Length: 10000000000\r\n"
    (worker,) = raw.workers(server)
    before = raw.peak_megabytes(worker, reset=True)
    with raw.nothing_changes(server), socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(15)
        connection.sendall(
            raw.request("POST", "/v1/sign", auth=basic(reader), content_type=MULTIPART, head=head)
        )
        started = time.monotonic()
        sent = _send_until_disconnected(connection, b"x" * 1_000_000, at_most=1_000_000_000)
        assert sent < 500_000_000
        assert time.monotonic() - started < 14
    assert raw.peak_megabytes(worker) - before < raw.ERROR_MB


def _send_until_disconnected(connection: socket.socket, data: bytes, *, at_most: int) -> int:
    sent = 0
    with contextlib.suppress(OSError):
        while sent < at_most:
            sent += connection.send(data)
    return sent


@pytest.mark.slow
def test_an_endless_chunked_body_is_an_error_at_the_size_limit(server: Server, reader: Key) -> None:
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    head = "Transfer-Encoding: chunked\r\n"
    start = raw.request("POST", "/v1/sign", auth=basic(reader), content_type=MULTIPART, head=head)
    raw.expect_error(server, start + chunk * 25, 50007)


@pytest.mark.slow
def test_a_body_in_chunks_of_one_byte_does_not_delay_other_requests(server: Server, reader: Key) -> None:
    body = form(GOOD, part("image0", b"x" * 20_000))
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    head = "Transfer-Encoding: chunked\r\n"
    data = raw.request("POST", "/v1/sign", auth=basic(reader), content_type=MULTIPART, head=head) + chunks
    with raw.nothing_changes(server), socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(60)
        connection.sendall(data)
        started = time.monotonic()
        assert raw.query(server, reader, 0).code == 50102
        assert time.monotonic() - started < 1
        assert raw.parse(read_response(connection)).code == 50101


@pytest.mark.parametrize("sent", [0, 100, 150_000, 1_000_000])
def test_an_upload_that_is_aborted_leaves_nothing_behind(server: Server, reader: Key, sent: int) -> None:
    body = form(GOOD, part("image0", noise(width=800, height=800)))
    data = raw.post(reader, body)
    with raw.nothing_changes(server):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(data[: len(data) - len(body) + sent])
            time.sleep(0.05)
        time.sleep(0.05)


def test_a_client_that_half_closes_too_early_still_gets_the_error(server: Server, reader: Key) -> None:
    data = raw.post(reader, form(GOOD, part("image0", noise())))[:-2000]
    with raw.nothing_changes(server), socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        response = raw.parse(read_response(connection))
    assert response.code == 50007
    assert "ends before" in response.details[0]["reason"]


@pytest.mark.slow
@pytest.mark.parametrize("pause", [60.0, 0.2])
def test_a_slow_upload_is_an_error(start: Callable[..., Server], pause: float) -> None:
    """One stops after the first bytes, one sends a byte now and then; neither delays a query."""
    server = start(body_timeout=1)
    app = server.make_app()
    head = "Content-Length: 100000\r\n"
    start_of_it = raw.request("POST", "/v1/sign", auth=basic(app), content_type=MULTIPART, head=head)
    with raw.nothing_changes(server), socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(start_of_it + GOOD)
        connection.settimeout(pause)
        started = time.monotonic()
        response = b""
        while not response and time.monotonic() - started < 10:
            assert raw.query(server, app, 0).code == 50102
            try:
                response = read_response(connection)
            except TimeoutError:
                connection.sendall(b"-")
        assert time.monotonic() - started < 6
    error = raw.parse(response)
    assert error.code == 50007
    assert "slow" in error.details[0]["reason"]


@pytest.mark.process
def test_slow_headers_get_the_connection_closed(start_plain: Callable[..., Server]) -> None:
    """There is no request yet: after 15 seconds granian closes the connection without a response."""
    server = start_plain()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"POST /v1/sign HTTP/1.1\r\nHost: x\r\nAuthoriz")
        connection.settimeout(25)
        assert connection.recv(1000) == b""
    assert raw.send(server, raw.request("GET", "/healthz")).status == 200


@pytest.mark.slow
def test_300_idle_uploads_do_not_delay_another_request(start: Callable[..., Server]) -> None:
    server = start(body_timeout=5)
    app = server.make_app()
    head = "Content-Length: 100000\r\n"
    data = raw.request("POST", "/v1/sign", auth=basic(app), content_type=MULTIPART, head=head)
    connections = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(300)]
    try:
        for index, connection in enumerate(connections):
            connection.sendall(data[: 40 if index % 2 else len(data)])
        started = time.monotonic()
        assert raw.create(server, app, GOOD, part("image0", noise())).status == 200
        assert time.monotonic() - started < 3
    finally:
        for connection in connections:
            connection.close()
