"""The files in docs/examples/ci: shown on the page as they are, parsed, and run if no service is needed."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from smsign.actions.demo import KEYS
from tests.docs.pages import DOCS, LANGUAGES, blocks
from tests.running import free_port

FOLDER = DOCS / "examples" / "ci"
FILES = sorted(path.name for path in FOLDER.iterdir() if path.is_file())


def _yaml(name: str) -> Any:
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((FOLDER / name).read_text("utf-8"))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_shows_each_file_as_it_is(language: str, name: str) -> None:
    assert (FOLDER / name).read_text("utf-8") in [block.text for block in blocks(language, "how-to/ci.md")]


def test_the_gitlab_file_parses_and_has_the_keys_of_the_emulator() -> None:
    job = _yaml("gitlab-ci.yml")["test"]
    assert job["variables"]["SMSIGN_APP_KEY"] == KEYS.app_key
    assert job["variables"]["SMSIGN_MASTER_SECRET"] == KEYS.master_secret
    [service] = job["services"]
    assert job["variables"]["SMSIGN_URL"] == f"http://{service['alias']}:8080"
    assert all(isinstance(value, str) for value in service["variables"].values())


def test_the_testcontainers_example_compiles_and_has_the_keys_of_the_emulator() -> None:
    text = (FOLDER / "testcontainers_fixture.py").read_text("utf-8")
    compile(text, "testcontainers_fixture.py", "exec")
    constants = {node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)}
    assert {KEYS.app_key, KEYS.master_secret, "SMSIGN_TEST"} <= constants


@pytest.fixture
def env(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment in which `smsign` is a command; servers that a script leaves are stopped."""
    script = tmp_path / "bin" / "smsign"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\necho $$ > {tmp_path}/pid\nexec {sys.executable} -m smsign.cli "$@"\n')
    script.chmod(0o755)
    yield {
        "PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "TMPDIR": str(tmp_path),
        "GITHUB_ENV": str(tmp_path / "github.env"),
    }
    subprocess.run(["sh", "-c", f"kill $(cat {tmp_path}/pid) 2>/dev/null"], check=False)


def _scripts() -> dict[str, str]:
    [step] = [step["run"] for step in _yaml("github-actions.yml")["jobs"]["test"]["steps"] if "name" in step]
    [shell] = [
        block.text
        for block in blocks("en", "how-to/ci.md")
        if "kill -0" in block.text and block.language == "sh"
    ]
    return {"github": step, "shell": shell}


@pytest.mark.process
@pytest.mark.parametrize("name", ["github", "shell"])
def test_the_start_script_starts_the_emulator(name: str, env: dict[str, str], tmp_path: Path) -> None:
    done = _run(_scripts()[name], env, tmp_path)
    assert done.returncode == 0, done.stdout
    if name == "github":
        lines = (tmp_path / "github.env").read_text().splitlines()
        url = dict(line.split("=", 1) for line in lines)["SMSIGN_URL"]
        assert httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
    else:
        assert done.stdout == '{"sign_id":1}'


@pytest.mark.process
@pytest.mark.parametrize("name", ["github", "shell"])
def test_the_start_script_ends_when_the_start_fails(name: str, env: dict[str, str], tmp_path: Path) -> None:
    done = _run(_scripts()[name], env | {"SMSIGN_WORKERS": "none"}, tmp_path)
    assert done.returncode == 1
    assert "smsign: workers: 'none' is not a whole number" in done.stdout


def _run(script: str, env: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]  # as GitHub does
    return subprocess.run(
        command, env=env, cwd=folder, capture_output=True, text=True, check=False, timeout=30
    )


@pytest.mark.process
def test_the_variables_of_the_gitlab_service_start_the_emulator(env: dict[str, str], tmp_path: Path) -> None:
    job = _yaml("gitlab-ci.yml")["test"]
    port = free_port()
    variables = job["services"][0]["variables"] | {"SMSIGN_PORT": str(port)}
    auth = (job["variables"]["SMSIGN_APP_KEY"], job["variables"]["SMSIGN_MASTER_SECRET"])
    with subprocess.Popen(["smsign", "serve"], env=env | variables, stdout=-3, stderr=-3) as server:
        deadline = time.monotonic() + 20
        while True:
            try:
                response = httpx.get(f"http://127.0.0.1:{port}/v1/signs", auth=auth, trust_env=False)
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        server.terminate()
    assert response.json() == {"signs": [], "next": None}
