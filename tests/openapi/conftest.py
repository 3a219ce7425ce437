"""A folder with the OpenAPI document and the tools of package.json, and a server for the clients."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.api.document import DOCUMENT
from tests.images import noise
from tests.running import Server, free_port

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
MODULES = BIN.parent / "node_modules"

Run = Callable[..., str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the document and the files of this one."""
    made = tmp_path_factory.mktemp("openapi") / "work"
    shutil.copytree(HERE, made, ignore=shutil.ignore_patterns("__*", "conftest.py", "test_*"))
    (made / "openapi.json").write_text(json.dumps(DOCUMENT, ensure_ascii=False, indent=2), "utf-8")
    if not MODULES.exists():
        pytest.fail(f"no {MODULES}: make {MODULES.relative_to(BIN.parent.parent)}", pytrace=False)
    (made / "node_modules").symlink_to(MODULES)
    return made


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    """Run a command of the tools, of Node.js or of Python in that folder; return what it printed."""
    path = os.pathsep.join((str(MODULES / ".bin"), str(BIN), os.environ["PATH"]))
    env = {
        "PATH": path,
        "HOME": str(folder),
        "REDOCLY_TELEMETRY": "off",
        "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
    }

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(
        tmp_path_factory.mktemp("service"), port=free_port(), callback_networks="127.0.0.1/32"
    ) as server:
        yield server


@pytest.fixture
def arguments(service: Server, request: pytest.FixtureRequest) -> list[str]:
    """What the clients are started with: the keys of a new test application, and an image."""
    keys = service.json("app", "create", request.node.name, "--test")
    png = base64.b64encode(noise(width=20, height=20)).decode()
    return [service.url, keys["app_key"], keys["master_secret"], png]
