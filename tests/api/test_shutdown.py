"""Workers, and the graceful shutdown."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.api import raw
from tests.api.listening import start_server
from tests.api.raw import MULTIPART, SIGN, basic, form, part
from tests.api.test_operations import UNKNOWN_ID, metrics
from tests.images import noise
from tests.running import Server, free_port, listens, read_response

pytestmark = pytest.mark.process


@pytest.mark.slow
def test_workers_share_requests_and_add_up_their_metrics(start: Callable[..., Server]) -> None:
    server = start(workers=2)
    app = server.make_app()
    count = 0
    processes: set[int] = set()
    deadline = time.monotonic() + 15
    while len(processes) < 2:  # the server is ready when its first worker is
        assert time.monotonic() < deadline
        processes.add(int(raw.query(server, app, 0).headers["x-request-id"].split("-")[0], 16))
        count += 1
    assert processes <= set(raw.workers(server))
    assert {metrics(server)[UNKNOWN_ID] for _ in range(8)} == {count}
    before = metrics(server)["smsign_signatures_in_audit"]
    assert raw.create(server, app).status == 200
    assert {metrics(server)["smsign_signatures_in_audit"] for _ in range(8)} == {before + 1}


@pytest.mark.slow
def test_the_folder_of_shared_metrics_is_removed_at_the_end(
    start_plain: Callable[..., Server], tmp_path: Path
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    server = start_plain(workers=2, TMPDIR=temporary)
    assert [folder.name.startswith("smsign-metrics-") for folder in temporary.iterdir()] == [True]
    assert server.stop() == 0
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced(start: Callable[..., Server]) -> None:
    server = start(workers=2)
    app = server.make_app()
    deadline = time.monotonic() + 15
    while count_listeners(server.port) < 2:  # so that one is left while the other restarts
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.02)
    victim = raw.workers(server)[0]
    os.kill(victim, signal.SIGKILL)
    deadline = time.monotonic() + 15
    while victim in raw.workers(server) or len(raw.workers(server)) < 2:
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.05)
    for _ in range(10):
        assert raw.query(server, app, 0).code == 50102


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_stop_lets_a_slow_upload_finish(start: Callable[..., Server], workers: int) -> None:
    server = start(workers=workers)
    app = server.make_app()
    image = noise(width=500, height=500)
    body = form(part("sign", SIGN), part("image0", image))
    data = raw.request("POST", "/v1/sign", auth=basic(app), content_type=MULTIPART, body=body)
    codes: list[int] = []
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(data[:100_000])
        time.sleep(0.3)
        stopper = threading.Thread(target=lambda: codes.append(server.stop()))
        stopper.start()
        for start_at in range(100_000, len(data), 100_000):
            time.sleep(0.2)
            connection.sendall(data[start_at : start_at + 100_000])
        response = raw.parse(read_response(connection))
    stopper.join()
    assert response.status == 200, response.body
    assert codes == [0]
    server.start()
    assert raw.query(server, app, response.sign_id).json()["sign"] == SIGN
    assert raw.rows(server, "SELECT count(*) FROM image") == [(1,)]


def test_a_stop_waits_no_longer_than_stop_timeout(start: Callable[..., Server]) -> None:
    server = start(stop_timeout=2)
    app = server.make_app()
    head = "Content-Length: 100000\r\n"
    data = raw.request("POST", "/v1/sign", auth=basic(app), content_type=MULTIPART, head=head)
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(data + part("sign", SIGN))
        time.sleep(0.2)
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 12


@pytest.mark.slow
def test_a_stop_while_workers_are_starting_is_quick(tmp_path: Path) -> None:
    server = Server(tmp_path, port=free_port(), workers=2, stop_timeout=5)

    def two_workers() -> None:
        if len(raw.workers(server)) < 2:
            raise ConnectionError

    start_server(server, two_workers)
    started = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - started < 4


def test_an_idle_connection_does_not_delay_a_stop(start: Callable[..., Server]) -> None:
    server = start()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(raw.request("GET", "/healthz"))
        assert raw.parse(read_response(connection)).status == 200
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 3


def test_a_stop_logs_no_traceback(start_plain: Callable[..., Server]) -> None:
    server = start_plain()
    assert raw.get(server, "/healthz").status == 200
    assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()
    assert re.search(r'"path":"/healthz"', server.log.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 3])
def test_killing_the_parent_leaves_no_orphan_listening(start: Callable[..., Server], workers: int) -> None:
    server = start(workers=workers)
    children = raw.workers(server)
    assert len(children) >= workers
    process = server._process
    assert process is not None
    process.send_signal(signal.SIGKILL)
    process.wait()
    server._process = None
    deadline = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in children) or listens(server.port):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    server.start()
    assert raw.get(server, "/readyz").status == 200


def count_listeners(port: int) -> int:
    """Return how many sockets listen on the port: each worker has one."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)
