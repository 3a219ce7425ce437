"""The pytest plugin: the page's tests pass, and a server that does not start is a clear error."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest

from tests.client.test_docstrings import EXAMPLES
from tests.docs.pages import ROOT, blocks

pytestmark = pytest.mark.process


def _pytest(folder: Path, *path: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join((*path, *sys.path)), "LANG": "C.UTF-8"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "smsign.client.pytest_plugin",
        "-W",
        "error",
        "-p",
        "no:asyncio",
    ]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_the_tests_on_the_ci_page_pass_and_the_emulator_ends(tmp_path: Path) -> None:
    [page] = [block for block in blocks("en", "how-to/ci.md") if block.about == "test_sms.py"]
    (tmp_path / "test_sms.py").write_text(page.text, "utf-8")
    (tmp_path / "test_last.py").write_text(
        "from pathlib import Path\n"
        "def test_write_the_url(smsign_emulator): Path('url').write_text(smsign_emulator.url)\n"
    )
    done = _pytest(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout
    with pytest.raises(httpx.ConnectError):
        httpx.get((tmp_path / "url").read_text(), trust_env=False)


def test_the_tests_in_the_page_about_testing_and_in_the_docstring_pass(tmp_path: Path) -> None:
    for block in blocks("en", "how-to/testing.md"):
        (tmp_path / block.about).write_text(block.text, "utf-8")
    (tmp_path / "test_docstring.py").write_text(
        "".join(code for module, code in EXAMPLES if module == "pytest_plugin"), "utf-8"
    )
    done = _pytest(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "13 passed" in done.stdout


def test_a_missing_server_is_named_with_the_extra_that_has_it(tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "cryptography.py"
    missing.parent.mkdir()
    missing.write_text("raise ModuleNotFoundError('No module named cryptography', name='cryptography')")
    (tmp_path / "test_one.py").write_text("def test_one(smsign_emulator): pass\n")
    done = _pytest(tmp_path, str(missing.parent))
    assert done.returncode == 1
    assert "did not start" in done.stdout
    assert "pip install 'smsign[server]'" in done.stdout


def test_the_package_registers_the_plugin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    plugin = importlib.import_module(project["entry-points"]["pytest11"]["smsign"])
    assert plugin.smsign_emulator


def test_the_sdk_does_not_import_pytest() -> None:
    program = "import sys, smsign.client; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
