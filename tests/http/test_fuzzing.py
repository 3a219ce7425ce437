"""schemathesis against a running server, by the document that it serves, in all of its phases.

Longer, by hand: `FUZZ_S=600 FUZZ_SEED=2 .venv/bin/pytest tests/http/test_fuzzing.py -s`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.http.document import DOCUMENT
from tests.running import Server

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
SECONDS = os.environ.get("FUZZ_S", "")
SEED = os.environ.get("FUZZ_SEED", "1")


def test_schemathesis_finds_nothing(start: Callable[..., Server], tmp_path: Path) -> None:
    # Guessed secrets are what it sends all the time; a callback to a closed port makes deliveries to look at.
    server = start(workers=2, auth_failures=100_000, callback_timeout=1, callback_networks="127.0.0.1/32")
    app = server.json("app", "create", "fuzzed", "--test")
    auth = app["app_key"], app["master_secret"]
    added = httpx.post(f"{server.url}/v1/callbacks", auth=auth, json={"url": "http://127.0.0.1:9/"})
    assert added.status_code == 200, added.text
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
            *(["--max-time", SECONDS] if SECONDS else ["--max-examples", "10"]),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout[-1500:])  # noqa: T201
    assert done.returncode == 0, done.stdout + done.stderr
    calls = sum(map(len, DOCUMENT["paths"].values())) - 1  # where it got the document from it leaves alone
    assert f"Selected: {calls}/{calls}" in done.stdout
    assert f"Tested: {calls}" in done.stdout
    assert '"level":"error"' not in server.log.read_text()
    assert server.json("events", "verify")["fault"] is None
