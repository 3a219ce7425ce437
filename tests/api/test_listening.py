"""Serving on a Unix socket and with TLS."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import httpx
import pytest

from tests.api import raw
from tests.api.listening import UnixServer, make_certificate, start_server
from tests.api.raw import MULTIPART, SIGN, Response, basic, form, part
from tests.images import noise
from tests.running import Key, Server, free_port, listens, read_response

pytestmark = pytest.mark.process


def send(connection: socket.socket, data: bytes) -> Response:
    with connection:
        connection.settimeout(10)
        connection.sendall(data)
        return raw.parse(read_response(connection))


def test_a_unix_socket_is_served(tmp_path: Path) -> None:
    path = tmp_path / "smsign.sock"
    server = UnixServer(tmp_path, port=free_port(), socket=path, auth_failures=2)
    start_server(server, lambda: server.dial().close())
    try:
        app = server.make_app()
        body = form(part("sign", SIGN), part("image0", noise()))
        data = raw.request("POST", "/v1/sign", auth=basic(app), content_type=MULTIPART, body=body)
        created = send(server.dial(), data)
        assert created.status == 200
        queried = raw.request("GET", f"/v1/sign/{created.sign_id}", auth=basic(app))
        assert send(server.dial(), queried).json()["sign"] == SIGN
        assert not listens(server.port)
        assert path.stat().st_mode & 0o777 == 0o660, "a proxy of the same group may use it"
        # Behind a Unix socket the peer is the reverse proxy; the client is the address that it forwards.
        wrong = basic(Key(app.app_key, "0" * 24))
        for _ in range(2):
            head = "X-Forwarded-For: 203.0.113.5\r\n"
            assert send(server.dial(), raw.request("GET", "/v1/sign/0", auth=wrong, head=head)).code
        for address, code in (("203.0.113.5", 50009), ("203.0.113.6", 50102)):
            head = f"X-Forwarded-For: {address}\r\n"
            query = raw.request("GET", "/v1/sign/0", auth=basic(app), head=head)
            assert send(server.dial(), query).code == code
    finally:
        assert server.stop() == 0


def test_https_is_served_with_a_certificate(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    server = Server(tmp_path, port=free_port(), tls_cert=cert, tls_key=key)
    context = ssl.create_default_context(cafile=str(cert))
    url = f"https://127.0.0.1:{server.port}"
    with httpx.Client(base_url=url, verify=context) as client:
        start_server(server, lambda: client.get("/readyz"))
        try:
            app = server.make_app()
            created = client.post(
                "/v1/sign", files={"sign": (None, SIGN), "image0": ("a.png", noise())}, auth=app.auth
            )
            assert created.status_code == 200
            assert client.get(f"/v1/sign/{created.json()['sign_id']}", auth=app.auth).json()["sign"] == SIGN
            assert f"{url}/v1/sign" in client.get("/").text
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
                connection.sendall(raw.request("GET", "/healthz"))
                assert not connection.recv(1000).startswith(b"HTTP/1.1 200")
        finally:
            client.close()
            assert server.stop() == 0
