"""The listen address: one in use is an error of one line, a stale Unix socket is removed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from smsign import config
from smsign.cli.operator.listening import reserve_address
from smsign.cli.operator.serve import _url
from smsign.config import Settings
from smsign.errors import SetupError
from tests.api.listening import UnixServer, make_certificate, start_server
from tests.running import Server, free_port

pytestmark = pytest.mark.process


def _error_of(tmp_path: Path, **given: object) -> str:
    """Start a server with a new data folder; return its error, which is the only line of output."""
    settings = {f"SMSIGN_{name.upper()}": str(value) for name, value in given.items()}
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "SMSIGN_DATA": str(tmp_path / "new")}
    done = subprocess.run(
        [sys.executable, "-m", "smsign.cli", "serve"],
        env=env | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("smsign: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_a_second_server_on_the_same_port_is_an_error(server: Server, tmp_path: Path, host: str) -> None:
    message = _error_of(tmp_path, host=host, port=server.port)
    assert f"port: {host}:{server.port} is in use by another program" in message
    assert "use another port" in message


def test_an_unavailable_address_is_named_in_the_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"127.0.0.1:{port} is in use by another program" in _error_of(tmp_path, port=port)
    assert "cannot listen on 192.0.2.1:" in _error_of(tmp_path, host="192.0.2.1", port=free_port())
    assert "host: nowhere.invalid" in _error_of(tmp_path, host="nowhere.invalid")


@pytest.mark.parametrize("second", ["127.0.0.1", "0.0.0.0"])
def test_of_two_servers_that_start_at_once_one_gets_the_port(second: str) -> None:
    first = config.load({"port": free_port()}, {})
    with reserve_address(first), pytest.raises(SetupError, match="in use by another program"):  # noqa: SIM117
        with reserve_address(config.load({"host": second, "port": first.port}, {})):
            pass
    with reserve_address(first), socket.socket() as worker:
        worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        worker.bind((first.host, first.port))
        worker.listen()


def test_a_port_with_connections_in_time_wait_is_bound_again(tmp_path: Path) -> None:
    server = Server(tmp_path, port=free_port())
    for _ in range(2):
        server.start()
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            while connection.recv(4096):  # the server closes first, so that its side is in TIME_WAIT
                pass
        assert server.stop() == 0
        assert "another program" not in server.log.read_text()


def test_a_host_name_is_resolved(tmp_path: Path) -> None:
    port = free_port()
    with Server(tmp_path, port=port, host="localhost"):
        assert httpx.get(f"http://localhost:{port}/healthz").status_code == 200


def test_an_error_of_the_server_is_not_reported_as_one_of_the_address() -> None:
    def fail(held: Settings) -> None:
        assert held.port
        raise PermissionError

    with pytest.raises(PermissionError), reserve_address(config.load({"port": 0}, {})) as held:
        fail(held)


def test_the_stale_unix_socket_of_a_killed_server_is_replaced(tmp_path: Path) -> None:
    server = UnixServer(tmp_path, port=free_port(), socket=tmp_path / "smsign.sock")
    for _ in range(2):
        start_server(server, lambda: server.dial().close())
        assert server._process is not None
        server._process.send_signal(signal.SIGKILL)
        server._process.wait()
        with contextlib.suppress(ConnectionRefusedError):
            while True:  # its workers end a little later
                server.dial().close()
        assert "once: /console/welcome/" in server.log.read_text(), "a browser cannot open a socket"
        assert "unix:" + str(server.path) + "/console" not in server.log.read_text()
        assert server.path.is_socket(), "it was killed"
    start_server(server, lambda: server.dial().close())
    assert "another server listens" in _error_of(tmp_path, socket=server.path)
    server.dial().close()
    assert server.stop() == 0
    assert not server.path.exists()


def test_a_path_that_cannot_be_a_socket_is_an_error_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("precious")
    assert "is not a socket" in _error_of(tmp_path, socket=file)
    assert file.read_text() == "precious"
    assert "does not exist" in _error_of(tmp_path, socket=tmp_path / "none" / "smsign.sock")
    assert "longer than" in _error_of(tmp_path, socket=tmp_path / ("x" * 120))


def test_an_invalid_certificate_or_one_of_another_key_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    cert, key = make_certificate(tmp_path)
    _, other = make_certificate(tmp_path / "other")
    assert "tls_cert and tls_key" in _error_of(tmp_path, tls_cert=cert, tls_key=other)
    assert "tls_cert and tls_key" in _error_of(tmp_path, tls_cert=key, tls_key=key)


@pytest.mark.parametrize("name", ["trusted_proxies", "callback_networks"])
def test_invalid_networks_are_an_error_before_the_start(tmp_path: Path, name: str) -> None:
    assert f"{name}: '1.2.3'" in _error_of(tmp_path, **{name: "1.2.3"})


def test_an_ipv6_address_is_printed_in_brackets() -> None:
    assert _url(config.load({"host": "::1", "port": 8080}, {})) == "http://[::1]:8080"
