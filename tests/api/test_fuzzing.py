"""Fuzzing: schemathesis against a running server, from its OpenAPI document, in all phases.

A longer run: `FUZZ_S=600 FUZZ_SEED=2 .venv/bin/pytest tests/api/test_fuzzing.py -s`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.api.document import DOCUMENT
from tests.running import Server

pytestmark = pytest.mark.process

HERE = Path(__file__).parent
SECONDS = os.environ.get("FUZZ_S", "")
SEED = os.environ.get("FUZZ_SEED", "1")
CONTRACT = ("createSign", "getSign", "modifySign", "modifySignByPost", "deleteSign")
MANY = ("--phases", "fuzzing", "--max-examples", "60")


def test_schemathesis_finds_nothing(start: Callable[..., Server], tmp_path: Path) -> None:
    # It sends many wrong secrets; a callback to a closed port makes deliveries for the calls to show.
    server = start(workers=2, auth_failures=100_000, callback_timeout=1, callback_networks="127.0.0.1/32")
    auth = make_app(server)
    added = httpx.post(f"{server.url}/v1/callbacks", auth=auth, json={"url": "http://127.0.0.1:9/"})
    assert added.status_code == 200, added.text
    output = fuzz(server, auth, tmp_path, *(["--max-time", SECONDS] if SECONDS else ["--max-examples", "10"]))
    calls = sum(map(len, DOCUMENT["paths"].values())) - 1  # it skips the call that serves the document
    assert f"Selected: {calls}/{calls}" in output
    assert f"Tested: {calls}" in output


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_schemathesis_finds_nothing_in_the_contracts_calls(
    start: Callable[..., Server], tmp_path: Path
) -> None:
    """Ten examples for each of thirty calls may miss a missing rule of create; sixty for these do not."""
    server = start(workers=2, auth_failures=100_000)
    auth = make_app(server)
    output = fuzz(server, auth, tmp_path, *(f"--include-operation-id={name}" for name in CONTRACT), *MANY)
    assert f"Tested: {len(CONTRACT)}" in output


def make_app(server: Server) -> tuple[str, str]:
    """Return the key and secret of a new test application."""
    app = server.json("app", "create", "fuzzed", "--test")
    return app["app_key"], app["master_secret"]


def fuzz(server: Server, auth: tuple[str, str], folder: Path, *options: str) -> str:
    """Run schemathesis against `server`; return its output."""
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"),
            "--config-file",
            str(HERE / "schemathesis.toml"),
            "run",
            f"{server.url}/openapi.json",
            "--auth",
            ":".join(auth),
            "--seed",
            SEED,
            "--warnings",
            "off",
            "--no-color",
            *options,
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout[-1500:])  # noqa: T201
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"level":"error"' not in server.log.read_text()
    assert server.json("events", "verify")["fault"] is None
    return done.stdout
