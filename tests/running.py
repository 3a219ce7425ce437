"""A server under test, as an operator runs it: `smsign serve` in a process."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import msgspec

START_TIMEOUT_S = 20.0
PASSWORD = "quite a long one"
COVERAGE = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
"""What `make coverage` measures child processes by; nothing otherwise."""


class Key(msgspec.Struct, frozen=True):
    """An application's credentials, in the order that HTTP clients want them."""

    app_key: str
    master_secret: str

    @property
    def auth(self) -> tuple[str, str]:
        return self.app_key, self.master_secret


class Server:
    """`smsign serve`, and the command line beside it."""

    def __init__(self, data: Path, *, port: int, demo: bool = False, **settings: object) -> None:
        self.data = data
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.log = data / "server.log"
        self._demo = demo
        self.env = COVERAGE | {
            "PATH": os.environ["PATH"],
            "HOME": str(data),
            "PYTHONPATH": os.pathsep.join(sys.path),
            "SMSIGN_DATA": str(data),
            "SMSIGN_PORT": str(port),
        }
        for name, value in settings.items():
            # A name in capitals is not smsign's own, as in AWS_ENDPOINT.
            self.env[name if name.isupper() else f"SMSIGN_{name.upper()}"] = str(value)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until it is ready."""
        command = [sys.executable, "-m", "smsign.cli", "serve", *(["--demo"] if self._demo else [])]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, env=self.env, stdout=log, stderr=log)
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"the server ended: {self.log.read_text()[-2000:]}")
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.02)
        raise RuntimeError(f"the server is not ready: {self.log.read_text()[-2000:]}")

    def kill(self) -> None:
        """End it as a power cut would, all processes at once, and wait until the port is free."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
            while listens(self.port):
                time.sleep(0.005)

    def stop(self) -> int:
        """Ask it to stop; return its exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(timeout=40)
        self._process = None
        return code

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the command line against the same data."""
        return subprocess.run(
            [sys.executable, "-m", "smsign.cli", *arguments],
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        """Run a command with --json; return what it answered."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def do(self, work: Any) -> Any:
        """Run `await work(stores)` on the server's data, in this process: quicker than a command."""
        from smsign import config
        from smsign.storage.open import open_stores

        async def run() -> Any:
            stores = await open_stores(config.load({}, env=self.env))
            try:
                return await work(stores)
            finally:
                await stores.close()

        return run_apart(run)

    def make_app(self, count: int = 1) -> Key:
        """Make an application; return its credentials."""
        return self.make_apps(count)[0]

    def make_apps(self, count: int, *, names: Sequence[str] = (), owner: str = "") -> list[Key]:
        """Make applications; return their credentials."""
        from smsign.actions import apps
        from smsign.storage.rows import accounts

        async def work(stores: Any) -> list[Key]:
            made = [apps.make_keys() for _ in range(count)]
            person = await accounts.find(stores.db.read, owner)
            for keys, name in itertools.zip_longest(made, names):
                await apps.create(
                    stores.db,
                    stores.vault,
                    name=name or f"app-{keys.app_key}",
                    keys=keys,
                    use_by_hand=False,
                    actor="test:builder",
                    now=time.time_ns() // 1000,
                    owner=person.id if person else None,
                )
            return [Key(keys.app_key, keys.master_secret) for keys in made]

        return list(self.do(work))

    def make_account(self, name: str, *roles: str, password: str = PASSWORD) -> str:
        """Make an account; return the token of a session of it."""
        from smsign.actions import accounts, sessions

        async def work(stores: Any) -> str:
            db, now = stores.db, time.time_ns() // 1000
            link = await accounts.invite(db, roles=" ".join(roles), actor="test:builder", now=now)
            account = await accounts.accept(db, token=link, name=name, password=password, now=now)
            return await sessions.sign_in(db, account=account, address="test", agent="test", now=now)

        return str(self.do(work))

    def visitor(self, token: str | None = None, **headers: str) -> httpx.Client:
        """Return a client that behaves as a browser on a page of the console does."""
        sent = {"Sec-Fetch-Site": "same-origin", "Accept-Language": "en"} | headers
        cookies = {"smsign_session": token} if token else {}
        return httpx.Client(base_url=self.url, headers=sent, cookies=cookies, timeout=30)

    def first_link(self) -> str:
        """Return the link for the first account that the server printed at its last start."""
        links: list[str] = re.findall(r"http\S+/console/welcome/\S+", self.log.read_text())
        return links[-1]

    def decide(
        self, sign_id: int, *, passed: bool, reasons: tuple[str, ...] = ("unreadable",), note: str = ""
    ) -> None:
        """Pass or refuse a signature, as an auditor does."""
        from smsign.actions import audits

        async def work(stores: Any) -> None:
            await audits.decide(
                stores.db,
                signature_id=sign_id,
                passed=passed,
                reasons=() if passed else reasons,
                note=note,
                actor="test:auditor",
                now=time.time_ns() // 1000,
            )

        self.do(work)

    def raw(self, data: bytes, *, timeout_s: float = 30.0) -> bytes:
        """Send bytes as they are; return all bytes that come back until the server or the time ends it."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s) as connection:
            connection.sendall(data)
            return read_response(connection)


def run_apart(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run `await work()` on a thread: the caller's own may have a loop, Playwright's."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()


def read_response(connection: socket.socket) -> bytes:
    """Return one HTTP response, as long as its Content-Length says."""
    got = b""
    while b"\r\n\r\n" not in got:
        chunk = connection.recv(65536)
        if not chunk:
            return got
        got += chunk
    head, _, body = got.partition(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        ),
        0,
    )
    while len(body) < length and (chunk := connection.recv(65536)):
        body += chunk
    return head + b"\r\n\r\n" + body


def free_port() -> int:
    """Return a port that nothing listens on now, and that no connection is given as its own end.

    Else one could take it while a server is down, or meet itself there: who connects to a port of that
    range again and again is at times connected to nobody but itself.
    """
    least = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(10_000, least)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
