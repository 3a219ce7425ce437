"""The SDK runs on Python 3.9 and on Windows, which the rest of smsign does not."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import vermin

from tests.docs.pages import ROOT
from tests.running import Server, free_port

OLDEST = (3, 9)
SDK = [
    *sorted((ROOT / "src/smsign/client").glob("*.py")),
    *(ROOT / f"src/smsign/{name}.py" for name in ("__init__", "__main__")),
]
SCENARIO = Path(__file__).with_name("scenario.py")
WINDOWS = """
import asyncio, builtins, os, runpy, signal, subprocess, sys, httpx2, msgspec
loaded = set(sys.modules)
for name in ("fcntl", "resource", "pwd", "grp", "termios", "uvloop", "posix"):
    sys.modules[name] = None  # an import of it fails
for name in ("fork", "getuid", "geteuid", "killpg", "sched_getaffinity", "register_at_fork"):
    vars(os).pop(name, None)
for name in ("SIGKILL", "SIGHUP", "SIGUSR1"):
    delattr(signal, name)
sys.platform = "win32"
runpy.run_path(sys.argv[1], run_name="__main__")
"""
"""Import the packages that the SDK needs, remove what Python lacks on Windows, run a program."""


@pytest.mark.parametrize("path", [*SDK, SCENARIO], ids=lambda path: path.name)
def test_a_file_of_the_sdk_needs_no_newer_python(path: Path) -> None:
    text = path.read_text("utf-8")
    ast.parse(text, feature_version=OLDEST)
    _, least = vermin.visit(text, config=_config()).minimum_versions()
    assert least <= OLDEST


def _config() -> vermin.Config:
    config = vermin.Config()
    config.set_eval_annotations(True)
    return config


@pytest.mark.parametrize("path", SDK, ids=lambda path: path.name)
def test_structs_of_the_sdk_have_annotations_that_python_3_9_can_evaluate(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        for field in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(field, ast.AnnAssign):
                operators = [each for each in ast.walk(field.annotation) if isinstance(each, ast.BitOr)]
                assert not operators, f"line {field.lineno}: write Optional or Union, msgspec evaluates it"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment for a client of a test application."""
    with Server(tmp_path_factory.mktemp("sandbox"), port=free_port()) as server:
        keys = server.json("app", "create", "sandbox", "--test", "--delay-ms", "0")
        yield {
            "SMSIGN_URL": server.url,
            "SMSIGN_APP_KEY": keys["app_key"],
            "SMSIGN_MASTER_SECRET": keys["master_secret"],
        }


@pytest.mark.process
def test_the_sdk_runs_with_what_python_has_on_windows(sandbox: dict[str, str]) -> None:
    command = [sys.executable, "-c", WINDOWS, str(SCENARIO)]
    env = sandbox | {"PYTHONPATH": str(ROOT / "src"), "PYTHONUTF8": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
