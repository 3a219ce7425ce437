"""Where a server may listen: what is another's is refused in a line, what a killed one left is removed."""

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
from smsign.cli.operator.listening import holding_address
from smsign.cli.operator.serve import _where
from smsign.config import Settings
from smsign.errors import SetupError
from tests.api.test_operations import UnixServer, _begin, make_certificate
from tests.running import Server, free_port

pytestmark = pytest.mark.process


def _refused(tmp_path: Path, **given: object) -> str:
    """Return what a start on a new folder is refused with: one line, before anything is greeted."""
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
def test_a_second_server_on_a_port_is_refused_and_shares_nothing(
    server: Server, tmp_path: Path, host: str
) -> None:
    told = _refused(tmp_path, host=host, port=server.port)
    assert f"another program has {host}:{server.port}" in told
    assert "name another port" in told


def test_an_address_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"another program has 127.0.0.1:{port}" in _refused(tmp_path, port=port)
    assert "cannot listen on 192.0.2.1:" in _refused(tmp_path, host="192.0.2.1", port=free_port())
    assert "host: nowhere.invalid" in _refused(tmp_path, host="nowhere.invalid")


@pytest.mark.parametrize("second", ["127.0.0.1", "0.0.0.0"])
def test_of_two_servers_that_start_at_once_one_has_the_port(second: str) -> None:
    first = config.load({"port": free_port()}, {})
    with holding_address(first), pytest.raises(SetupError, match="another program has"):  # noqa: SIM117
        with holding_address(config.load({"host": second, "port": first.port}, {})):
            pass
    with holding_address(first), socket.socket() as worker:
        worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        worker.bind((first.host, first.port))
        worker.listen()


def test_a_port_is_had_again_though_connections_to_it_are_not_over_for_long(tmp_path: Path) -> None:
    server = Server(tmp_path, port=free_port())
    for _ in range(2):
        server.start()
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            while connection.recv(4096):  # the server closes first, and keeps the rest of it
                pass
        assert server.stop() == 0
        assert "another program" not in server.log.read_text()


def test_a_host_may_be_a_name(tmp_path: Path) -> None:
    port = free_port()
    with Server(tmp_path, port=port, host="localhost"):
        assert httpx.get(f"http://localhost:{port}/healthz").status_code == 200


def test_what_fails_inside_is_not_said_of_the_host() -> None:
    def fail(held: Settings) -> None:
        assert held.port
        raise PermissionError

    with pytest.raises(PermissionError), holding_address(config.load({"port": 0}, {})) as held:
        fail(held)


def test_a_server_that_was_killed_starts_again_on_its_socket(tmp_path: Path) -> None:
    server = UnixServer(tmp_path, port=free_port(), socket=tmp_path / "smsign.sock")
    for _ in range(2):
        _begin(server, lambda: server.dial().close())
        assert server._process is not None
        server._process.send_signal(signal.SIGKILL)
        server._process.wait()
        with contextlib.suppress(ConnectionRefusedError):
            while True:  # its workers end a moment later
                server.dial().close()
        assert "once: /console/welcome/" in server.log.read_text(), "no browser opens a socket's path"
        assert "unix:" + str(server.path) + "/console" not in server.log.read_text()
        assert server.path.is_socket(), "nobody was left to remove it"
    _begin(server, lambda: server.dial().close())
    assert "another server listens" in _refused(tmp_path, socket=server.path)
    server.dial().close()
    assert server.stop() == 0
    assert not server.path.exists()


def test_a_path_that_cannot_be_a_socket_is_named_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("precious")
    assert "is no socket" in _refused(tmp_path, socket=file)
    assert file.read_text() == "precious"
    assert "does not exist" in _refused(tmp_path, socket=tmp_path / "none" / "smsign.sock")
    assert "longer than" in _refused(tmp_path, socket=tmp_path / ("x" * 120))


def test_a_certificate_that_is_none_or_another_keys_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    cert, key = make_certificate(tmp_path)
    _, other = make_certificate(tmp_path / "other")
    assert "tls_cert and tls_key" in _refused(tmp_path, tls_cert=cert, tls_key=other)
    assert "tls_cert and tls_key" in _refused(tmp_path, tls_cert=key, tls_key=key)


@pytest.mark.parametrize("name", ["trusted_proxies", "callback_networks"])
def test_networks_that_are_none_are_refused_before_anything_starts(tmp_path: Path, name: str) -> None:
    assert f"{name}: '1.2.3'" in _refused(tmp_path, **{name: "1.2.3"})


def test_an_address_of_ipv6_is_greeted_as_one_that_can_be_opened() -> None:
    assert _where(config.load({"host": "::1", "port": 8080}, {})) == "http://[::1]:8080"
