"""What an operator sees and does: probes, figures, the page at /, sockets, TLS, workers, stops."""

from __future__ import annotations

import asyncio
import datetime
import errno
import http.client
import ipaddress
import math
import os
import re
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from smsign.api import operations
from smsign.errors import StorageError
from smsign.storage.blobs.folder import FolderBlobs
from tests.api import raw
from tests.api.raw import MULTIPART, SIGN, Answer, basic, form, part
from tests.images import noise
from tests.running import Key, Server, free_port, read_answer

pytestmark = pytest.mark.process

UNKNOWN_ID = 'smsign_request_seconds_count{code="50102",method="GET",route="/v1/sign/{id}",status="403"}'
"""Queries of ids that the application does not have."""


def get(server: Server, path: str, *, head: str = "") -> Answer:
    return raw.send(server, raw.request("GET", path, head=head))


def figures(server: Server) -> dict[str, float]:
    """Return the samples of /metrics by name and labels."""
    lines = get(server, "/metrics").body.decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


def test_healthz_says_that_the_process_is_alive(server: Server) -> None:
    answer = get(server, "/healthz")
    assert (answer.status, answer.json()["status"]) == (200, "ok")
    assert answer.headers["cache-control"] == "no-store"


def test_readyz_asks_the_database_and_the_blob_store(server: Server) -> None:
    answer = get(server, "/readyz")
    assert (answer.status, answer.json()) == (200, {"database": "ok", "blobs": "ok", "server": "ok"})


@pytest.mark.parametrize("spoiled", ["blobs", "blobs/incoming"])
def test_readyz_is_503_while_no_image_can_be_kept(start: Callable[..., Server], spoiled: str) -> None:
    server = start()
    app = server.make_app()
    folder = server.data / spoiled
    aside = folder.with_name("aside")
    folder.rename(aside)
    folder.write_bytes(b"a file in the folder's place")
    answer = get(server, "/readyz")
    assert (answer.status, answer.json()) == (503, {"database": "ok", "blobs": "failed", "server": "ok"})
    assert get(server, "/healthz").status == 200
    assert raw.create(server, app, part("sign", SIGN), part("image0", noise())).code == 50019
    assert '"part":"blobs"' in server.log.read_text()

    folder.unlink()
    aside.rename(folder)
    assert get(server, "/readyz").status == 200
    assert raw.create(server, app, part("sign", SIGN), part("image0", noise())).status == 200


def test_readyz_is_503_while_the_database_does_not_answer(start: Callable[..., Server]) -> None:
    server = start()

    async def rename(stores: object, old: str, new: str) -> None:
        async def change(tx: object) -> None:
            await tx.run(f"ALTER TABLE {old} RENAME TO {new}")  # type: ignore[attr-defined]

        await stores.db.write(change)  # type: ignore[attr-defined]

    server.do(lambda stores: rename(stores, "meta", "gone"))
    answer = get(server, "/readyz")
    assert (answer.status, answer.json()["database"]) == (503, "failed")
    assert get(server, "/healthz").status == 200


async def test_a_probe_is_answered_in_time_though_what_it_asks_does_not_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hang() -> None:  # as asyncpg does, when the server that it asks to stop is silent
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)

    monkeypatch.setattr(operations, "TIMEOUT_S", 0.05)
    async with asyncio.timeout(5):
        with pytest.raises(StorageError, match="timed out"):
            await operations._with_timeout(hang())


async def test_a_probe_of_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = FolderBlobs(tmp_path)

    def fill(file: Path, data: bytes) -> None:
        file.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(StorageError, match="No space left"):
        await blobs.check()
    assert not list(blobs.spool.iterdir())


def test_figures_of_requests_are_reported_though_the_database_tells_none(
    start: Callable[..., Server],
) -> None:
    server = start()
    server.do(lambda stores: stores.db.write(lambda tx: tx.run("ALTER TABLE outbox RENAME TO aside")))
    get(server, "/healthz")
    reported = figures(server)
    assert math.isnan(reported["smsign_outbox_events"])
    assert math.isnan(reported["smsign_outbox_oldest_seconds"])
    assert any(name.startswith("smsign_request_seconds_count") and "/healthz" in name for name in reported)
    assert '"event":"metrics incomplete"' in server.log.read_text()


def test_figures_go_up_with_requests(server: Server, reader: Key) -> None:
    before = figures(server)
    for sign_id in range(2**31 - 5, 2**31):
        assert raw.query(server, reader, sign_id).code == 50102
    after = figures(server)
    assert after[UNKNOWN_ID] - before.get(UNKNOWN_ID, 0) == 5


def test_figures_tell_how_many_wait_for_a_decision(server: Server, app: Key) -> None:
    before = figures(server)["smsign_signatures_in_audit"]
    sign_id = raw.create(server, app).sign_id
    assert figures(server)["smsign_signatures_in_audit"] == before + 1
    server.decide(sign_id, passed=True)
    assert figures(server)["smsign_signatures_in_audit"] == before


def test_made_up_methods_and_paths_add_no_figures(server: Server) -> None:
    """Else who sends enough of them fills the memory of the server and of Prometheus."""

    def ask_for_what_nobody_knows() -> None:
        word = secrets.token_hex(4)
        get(server, f"/{word}")
        get(server, f"/v1/sign/{word}")
        raw.send(server, raw.request(f"X{word}", "/v1/sign"))
        raw.send(server, raw.request(f"X{word}", f"/{word}"))

    ask_for_what_nobody_knows()
    get(server, "/metrics")
    before = set(figures(server))
    for _ in range(5):
        ask_for_what_nobody_knows()
    assert set(figures(server)) - before == set()


@pytest.mark.parametrize(
    "accepted, language, phrase",
    [("", "en", "sign"), ("zh-CN,zh", "zh-CN", "短信签名"), ("en", "en", "sign")],
)
def test_the_page_at_the_root_helps_in_two_languages(
    server: Server, accepted: str, language: str, phrase: str
) -> None:
    answer = get(server, "/", head=f"Accept-Language: {accepted}\r\n" if accepted else "")
    page = answer.body.decode()
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["vary"].lower() == "accept-language"
    assert f'<html lang="{language}"' in page
    assert phrase in page
    assert "http://smsign.test/v1/sign" in page
    assert "$" not in page
    assert get(server, "/home.css").headers["content-type"] == "text/css; charset=utf-8"


@pytest.mark.parametrize("path", ["/", "/reference"])
def test_a_page_is_in_the_language_that_its_address_says(server: Server, path: str) -> None:
    """Whatever the header says; and a cache need not keep it for each header."""
    for lang, accepted, html in (("zh", "en", "zh-CN"), ("en", "zh", "en")):
        answer = get(server, f"{path}?lang={lang}", head=f"Accept-Language: {accepted}\r\n")
        page = answer.body.decode()
        assert f'<html lang="{html}">' in page
        assert "vary" not in answer.headers
        assert f'<a href="?lang={"zh" if lang == "en" else "en"}" lang="' in page
        kept = f"/reference?lang={lang}" if path == "/" else f"/?lang={lang}"
        assert f'<a href="{kept}">' in page
    for query in ("", "?lang=", "?lang=fr", "?lang=zh-TW", "?lang=%22%3E%3Cb%3E", "?lang=en&lang=%00"):
        answer = get(server, path + query, head="Accept-Language: zh\r\n")
        page = answer.body.decode()
        assert '<html lang="zh-CN">' in page, query
        assert answer.headers["vary"].lower() == "accept-language"
        assert '<a href="?lang=en" lang="en" hreflang="en">English</a>' in page
        assert f'<a href="{"/reference" if path == "/" else "/"}">' in page
        assert '"><b>' not in page


def test_the_page_escapes_the_host_that_was_sent(server: Server) -> None:
    for head in ('Host: "><script>alert(1)</script>\r\n', "X-Forwarded-Proto: javascript:<b>\r\n"):
        line = "" if head.startswith("Host") else "Host: x\r\n"
        data = f"GET / HTTP/1.1\r\n{line}{head}\r\n".encode()
        page = server.raw(data).decode()
        assert "<script>" not in page
        assert "<b>" not in page


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/metrics", "/home.css", "/v1/sign/1", "/nowhere"]
)
def test_head_answers_the_head_alone(server: Server, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        for method in ("HEAD", "HEAD", "GET"):  # a stray body would spoil the next answer
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read()
            assert bool(body) == (method == "GET")
            if method == "HEAD":
                status, length = answer.status, answer.headers["content-length"]
                assert answer.headers["x-request-id"]
    finally:
        connection.close()
    assert status == {"/v1/sign/1": 405, "/nowhere": 404}.get(path, 200)
    assert int(length) > 0


def ask_socket(connection: socket.socket, data: bytes) -> Answer:
    with connection:
        connection.settimeout(10)
        connection.sendall(data)
        return raw.parse(read_answer(connection))


class UnixServer(Server):
    """A server on a Unix socket: it is ready when the socket answers."""

    @property
    def path(self) -> Path:
        return self.data / "smsign.sock"

    def dial(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(self.path))
        except OSError:
            connection.close()
            raise
        return connection


def _begin(server: Server, ready: Callable[[], object]) -> None:
    """Start a server that does not answer plain HTTP on its port."""
    with server.log.open("ab") as log:
        server._process = subprocess.Popen(
            [sys.executable, "-m", "smsign.cli", "serve"], env=server.env, stdout=log, stderr=log
        )
    deadline = time.monotonic() + 20
    while True:
        try:
            ready()
            return
        except (OSError, httpx.TransportError):
            assert time.monotonic() < deadline, server.log.read_text()
            time.sleep(0.02)


def test_a_unix_socket_is_served(tmp_path: Path) -> None:
    path = tmp_path / "smsign.sock"
    server = UnixServer(tmp_path, port=free_port(), socket=path, auth_failures=2)
    _begin(server, lambda: server.dial().close())
    try:
        app = server.make_app()
        body = form(part("sign", SIGN), part("image0", noise()))
        data = raw.request("POST", "/v1/sign", auth=basic(app), content_type=MULTIPART, body=body)
        created = ask_socket(server.dial(), data)
        assert created.status == 200
        queried = raw.request("GET", f"/v1/sign/{created.sign_id}", auth=basic(app))
        assert ask_socket(server.dial(), queried).json()["sign"] == SIGN
        assert not _listens(server.port)
        assert path.stat().st_mode & 0o777 == 0o660, "a proxy of the same group may use it"
        # Behind a socket the peer is the proxy, and the address that it forwards is who asks.
        wrong = basic(Key(app.app_key, "0" * 24))
        for _ in range(2):
            head = "X-Forwarded-For: 203.0.113.5\r\n"
            assert ask_socket(server.dial(), raw.request("GET", "/v1/sign/0", auth=wrong, head=head)).code
        for address, code in (("203.0.113.5", 50009), ("203.0.113.6", 50102)):
            head = f"X-Forwarded-For: {address}\r\n"
            asked = raw.request("GET", "/v1/sign/0", auth=basic(app), head=head)
            assert ask_socket(server.dial(), asked).code == code
    finally:
        assert server.stop() == 0


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Return the files of a self-signed certificate for 127.0.0.1, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "smsign.test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_file, key_file


def test_https_is_served_with_a_certificate(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    server = Server(tmp_path, port=free_port(), tls_cert=cert, tls_key=key)
    context = ssl.create_default_context(cafile=str(cert))
    url = f"https://127.0.0.1:{server.port}"
    with httpx.Client(base_url=url, verify=context) as client:
        _begin(server, lambda: client.get("/readyz"))
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


@pytest.mark.slow
def test_several_workers_share_the_work_and_add_up_their_figures(start: Callable[..., Server]) -> None:
    server = start(workers=2)
    app = server.make_app()
    asked = 0
    answered_by: set[int] = set()
    deadline = time.monotonic() + 15
    while len(answered_by) < 2:  # the server is ready when its first worker is
        assert time.monotonic() < deadline
        answered_by.add(int(raw.query(server, app, 0).headers["x-request-id"].split("-")[0], 16))
        asked += 1
    assert answered_by <= set(raw.workers(server))
    assert {figures(server)[UNKNOWN_ID] for _ in range(8)} == {asked}
    before = figures(server)["smsign_signatures_in_audit"]
    assert raw.create(server, app).status == 200
    assert {figures(server)["smsign_signatures_in_audit"] for _ in range(8)} == {before + 1}


@pytest.mark.slow
def test_the_folder_of_shared_figures_is_removed_at_the_end(
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
    while _listeners(server.port) < 2:  # the one that is left is to take what comes meanwhile
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
        answer = raw.parse(read_answer(connection))
    stopper.join()
    assert answer.status == 200, answer.body
    assert codes == [0]
    server.start()
    assert raw.query(server, app, answer.sign_id).json()["sign"] == SIGN
    assert raw.rows(server, "SELECT count(*) FROM image") == [(1,)]


def test_a_stop_waits_no_longer_than_it_may(start: Callable[..., Server]) -> None:
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
def test_a_stop_while_workers_still_start_is_quick(tmp_path: Path) -> None:
    server = Server(tmp_path, port=free_port(), workers=2, stop_timeout=5)

    def two_workers() -> None:
        if len(raw.workers(server)) < 2:
            raise ConnectionError

    _begin(server, two_workers)
    started = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - started < 4


def test_an_idle_connection_does_not_hold_up_a_stop(start: Callable[..., Server]) -> None:
    server = start()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(raw.request("GET", "/healthz"))
        assert raw.parse(read_answer(connection)).status == 200
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 3


def test_a_stop_is_said_in_no_traceback(start_plain: Callable[..., Server]) -> None:
    server = start_plain()
    assert get(server, "/healthz").status == 200
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
    while any(Path(f"/proc/{pid}").exists() for pid in children) or _listens(server.port):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    server.start()
    assert get(server, "/readyz").status == 200


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _listeners(port: int) -> int:
    """Return how many sockets listen on the port: each worker has one."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)
