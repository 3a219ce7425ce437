"""docs/reference.md is up to date, and the README's examples run."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import os
import re
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


def test_the_reference_is_up_to_date() -> None:
    page = load_reference()
    assert (ROOT / "docs" / "reference.md").read_text("utf-8") == page.reference(), "run scripts/reference"


def test_every_setting_in_the_readme_exists() -> None:
    named = set(re.findall(r"SMSIGN_([A-Z_]+)", (ROOT / "README.md").read_text("utf-8")))
    assert named <= {name.upper() for name in SETTINGS} | {name.removeprefix("SMSIGN_") for name in VARIABLES}


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_the_readmes_examples_run(start: Callable[..., Server]) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    use = text[text.index("## Use") : text.index("## Read on")]
    [query, _] = re.findall(r"```sh\n(.*?)```", use, re.DOTALL)
    [program] = re.findall(r"```python\n(.*?)```", use, re.DOTALL)
    server = start(demo=True)
    query, program = (each.replace("http://127.0.0.1:8080", server.url) for each in (query, program))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    answers = []
    for command in (["bash", "-euc", query], [sys.executable, "-W", "error", "-c", program]):
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stderr)
        answers.append(done.stdout)
    assert json.loads(answers[0])["status"] == 2
    comment = re.findall(r"print\(.*?\)  # (.+)", program)
    assert [answers[1].strip()] == comment


def test_make_alone_lists_the_targets() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("setup", "run", "test", "bench"):
        assert f"make {target}" in listed
