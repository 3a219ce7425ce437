"""A plugin for pytest: the fixture `smsign_emulator`, a `smsign serve --test` that runs during the session.

pytest loads it by itself when smsign is installed; the rest of the SDK does not import it.

    def test_a_signature_is_passed(smsign_emulator):
        smsign_emulator.reset()
        sign_id = smsign_emulator.client.create_sign("测试通过")
        assert smsign_emulator.client.get_sign(sign_id).passed
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from smsign.client import Client

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
_POLL_S = 0.02


class Emulator:
    """A running emulator: its URL, the keys of its fixed application, and a client with them."""

    def __init__(self, url: str, app_key: str, master_secret: str) -> None:
        self.url = url
        self.app_key = app_key
        self.master_secret = master_secret
        self._open: list[httpx2.Client] = []
        self._http = self._connect()
        self.client = Client(url, app_key, master_secret, http=self._connect())

    def reset(self) -> None:
        """Delete all signatures, callbacks, events and faults, and all applications but the fixed one."""
        self._call("POST", "/test/reset")

    def create_app(self, *, name: str = "", delay_ms: int | None = None) -> Client:
        """Return a client with the keys of a new application."""
        given = {"name": name or None, "delay_ms": delay_ms}
        body = {key: value for key, value in given.items() if value is not None}
        keys = self._call("POST", "/test/apps", body).json()
        return Client(self.url, keys["app_key"], keys["master_secret"], http=self._connect())

    def add_fault(self, **fault: object) -> None:
        """Inject a fault into the next requests: `status`, `retry_after_s`, `latency_ms`, `cut`, `count`."""
        self._call("POST", "/test/faults", fault)

    def clear_faults(self) -> None:
        """Delete all faults."""
        self._call("DELETE", "/test/faults")

    def close(self) -> None:
        """Close all connections."""
        for http in self._open:
            http.close()

    def _connect(self) -> httpx2.Client:
        self._open.append(httpx2.Client(trust_env=False))  # a proxy of the environment cannot reach it
        return self._open[-1]

    def _call(self, method: str, path: str, body: object = None) -> httpx2.Response:
        response = self._http.request(method, self.url + path, json=body)
        if response.is_error:
            raise RuntimeError(f"{method} {path}: {response.status_code} {response.text}")
        return response


@pytest.fixture(scope="session")
def smsign_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Run an emulator during the session; it needs `pip install 'smsign[server]'`."""
    folder = tmp_path_factory.mktemp("smsign")
    ready_file, log = folder / "ready", folder / "server.log"
    flags = ["--test", "--host", "127.0.0.1", "--port", "0", "--ready-file", str(ready_file)]
    with log.open("wb") as output:
        command = [sys.executable, "-m", "smsign", "serve", *flags]
        process = subprocess.Popen(command, stdout=output, stderr=output)  # noqa: S603
    try:
        emulator = Emulator(*_wait_until_ready(process, ready_file, log))
        yield emulator
        emulator.close()
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], ready_file: Path, log: Path) -> Iterator[str]:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not ready_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            output = log.read_text("utf-8", "replace").strip()
            pytest.fail(f"`smsign serve --test` did not start:\n{output}", pytrace=False)
        time.sleep(_POLL_S)
    lines = ready_file.read_text("utf-8").splitlines()
    return (line.partition("=")[2] for line in lines)
