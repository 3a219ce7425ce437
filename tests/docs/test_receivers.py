"""The receivers in docs/examples/receivers: shown on the page as they are, parsed, run where installed.

Each gets a real delivery, and must reject what is forged or old.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from smsign.client.pytest_plugin import Emulator, smsign_emulator
from tests.docs.pages import DOCS, LANGUAGES, Block, blocks, find_node
from tests.docs.test_examples import GRAMMARS, parse
from tests.running import free_port

__all__ = ["smsign_emulator"]

FOLDER = DOCS / "examples" / "receivers"
FILES = sorted(path.name for path in FOLDER.iterdir() if path.is_file())
SUFFIXES = {".java": "java", ".php": "php", ".go": "go"}
START_TIMEOUT_S = 30.0


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_shows_each_receiver_as_it_is(language: str, name: str) -> None:
    page = "how-to/receivers.md"
    assert (FOLDER / name).read_text("utf-8") in [block.text for block in blocks(language, page)]


@pytest.mark.parametrize("name", FILES)
def test_a_receiver_has_no_syntax_error(name: str) -> None:
    path = FOLDER / name
    if path.suffix == ".py":
        compile(path.read_text("utf-8"), name, "exec")
    elif path.suffix == ".mjs":
        subprocess.run([find_node(), "--check", str(path)], check=True)
    else:
        assert SUFFIXES[path.suffix] in GRAMMARS
        parse(Block(SUFFIXES[path.suffix], path.read_text("utf-8")))


def _command(name: str, folder: Path, port: int) -> list[str]:
    """Return the command that runs a receiver; skip the test if its language or framework is missing."""
    if name == "fastapi_receiver.py":
        if not (find_spec("fastapi") and find_spec("uvicorn")):
            pytest.skip("FastAPI is not installed")
        return [sys.executable, "-m", "uvicorn", "fastapi_receiver:app", "--port", str(port)]
    if name == "receiver.mjs":
        packages = Path(sys.executable).parent.parent / "node_modules"
        if not (packages / "express").exists():
            pytest.skip("Express is not installed: make .venv/node_modules")
        (folder / "node_modules").symlink_to(packages)
        return [find_node(), name]
    program, *rest = {
        "receiver.php": ["php", "-S", f"127.0.0.1:{port}", name],
        "Receiver.java": ["java", name],
        "receiver.go": ["go", "run", name],
    }[name]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    return [program, *rest]


class Running:
    """A receiver of the documentation in a process, and what it has printed."""

    def __init__(self, url: str, output: Path) -> None:
        self.url = url
        self.output = output

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while text not in (printed := self.output.read_text("utf-8", "replace")):
            assert time.monotonic() < deadline, printed
            time.sleep(0.02)


@contextlib.contextmanager
def _run(name: str, folder: Path, port: int, secret: str) -> Iterator[Running]:
    text = (FOLDER / name).read_text("utf-8").replace("9000", str(port))
    (folder / name).write_text(text, "utf-8")
    command = _command(name, folder, port)
    env = os.environ | {
        "WEBHOOK_SECRET": secret,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "GOFLAGS": "-mod=mod",
    }
    running = Running(f"http://127.0.0.1:{port}/webhook", folder / "output")
    with (
        running.output.open("wb") as output,
        subprocess.Popen(
            command, cwd=folder, env=env, stdout=output, stderr=output, process_group=0
        ) as process,
    ):
        try:
            deadline = time.monotonic() + START_TIMEOUT_S
            while True:
                with contextlib.suppress(httpx.TransportError):
                    httpx.post(running.url, trust_env=False)
                    break
                assert process.poll() is None, running.output.read_text()
                assert time.monotonic() < deadline, running.output.read_text()
                time.sleep(0.05)
            yield running
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def _signed(secret: str, body: bytes, *, at: float) -> Mapping[str, str]:
    stamp = str(int(at))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.digest(key, f"evt_9.{stamp}.".encode() + body, "sha256")
    signature = "v1," + base64.b64encode(mac).decode()
    return {
        "webhook-id": "evt_9",
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,b3RoZXI= {signature}",
    }


@pytest.mark.process
@pytest.mark.parametrize("name", FILES)
def test_a_receiver_accepts_a_delivery_and_rejects_what_is_forged_or_old(
    name: str, tmp_path: Path, smsign_emulator: Emulator
) -> None:
    smsign_emulator.reset()
    port = free_port()
    secret = smsign_emulator.client.create_callback(f"http://127.0.0.1:{port}/webhook").secret or ""
    with _run(name, tmp_path, port, secret) as receiver:
        smsign_emulator.client.create_sign("测试通过")
        receiver.wait_for("signature.passed")
        body = b'{"type":"signature.refused","data":{"sign_id":7,"sign":"a","status":2,"version":1,"seq":2}}'
        body = body.replace(b'"data"', b'"timestamp":"2026-11-24T23:15:52Z","data"')
        now = time.time()

        def post(headers: Mapping[str, str], data: bytes = body) -> int:
            headers = {**headers, "content-type": "application/json"}
            return httpx.post(receiver.url, content=data, headers=headers, trust_env=False).status_code

        good = _signed(secret, body, at=now)
        bad: dict[str, Callable[[], int]] = {
            "another body": lambda: post(good, body.replace(b"7", b"8")),
            "another id": lambda: post({**good, "webhook-id": "evt_8"}),
            "an old timestamp": lambda: post(_signed(secret, body, at=now - 400)),
            "a timestamp in the future": lambda: post(_signed(secret, body, at=now + 400)),
            "another secret": lambda: post(_signed("whsec_" + "a" * 32, body, at=now)),
            "no signature": lambda: post({}),
            "no body": lambda: post(good, b""),
        }
        assert {what: send() for what, send in bad.items()} == dict.fromkeys(bad, 400)
        assert "signature.refused" not in receiver.output.read_text("utf-8")
        assert post(good) == 204
        receiver.wait_for("signature.refused")
