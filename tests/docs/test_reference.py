"""The documentation is true: the reference is what the code says, and the README's lines work."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smsign.cli.integrator.profiles import VARIABLES
from smsign.config import SETTINGS
from tests.running import Server

pytestmark = pytest.mark.process

ROOT = Path(__file__).parent.parent.parent


def load_reference() -> Any:
    """Return scripts/reference as a module."""
    loader = importlib.machinery.SourceFileLoader("reference", str(ROOT / "scripts" / "reference"))
    spec = importlib.util.spec_from_loader("reference", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_reference_is_what_the_code_says() -> None:
    page = load_reference()
    assert (ROOT / "docs" / "reference.md").read_text("utf-8") == page.reference(), "run scripts/reference"


def test_every_setting_in_the_readme_exists() -> None:
    named = set(re.findall(r"SMSIGN_([A-Z_]+)", (ROOT / "README.md").read_text("utf-8")))
    assert named <= {name.upper() for name in SETTINGS} | {name.removeprefix("SMSIGN_") for name in VARIABLES}


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_the_readmes_python_runs(start: Callable[..., Server]) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    [program] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    server = start(demo=True)
    done = subprocess.run(
        [sys.executable, "-c", program.replace("http://127.0.0.1:8080", server.url)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "wait for its decision" in done.stdout


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_the_readme_walks_through_all_calls(start: Callable[..., Server], tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    walk = text[text.index("## The contract's own lines") : text.index("## For real")]
    blocks = re.findall(r"```sh\n(.*?)```", walk, re.DOTALL)
    server = start(demo=True)
    command = tmp_path / "bin" / "smsign"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shutil.which(sys.executable)} -m smsign.cli "$@"\n')
    command.chmod(0o755)
    answers = []
    for block in blocks:
        done = subprocess.run(
            [
                "bash",
                "-euc",
                block.replace("http://127.0.0.1:8080", server.url).replace(".venv/bin/smsign", str(command)),
            ],
            env={**os.environ, **server.env},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (block, done.stderr)
        assert "error" not in done.stdout, (block, done.stdout)
        answers.append(done.stdout)
    said = [json.loads(answer) for answer in answers if answer.startswith("{")]
    assert said[0]["status"] == 2
    assert said[1:] == [{"sign_id": 37582}, {"sign_id": 37582}, {"sign_id": 37583}]
    assert answers[-1] == ""


def test_make_alone_lists_the_targets() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("setup", "run", "test", "bench"):
        assert f"make {target}" in listed
