"""Each target of the Makefile runs with the packages that it installs, and lives off no other target's."""

from __future__ import annotations

import os
import re
import subprocess
import venv
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

pytestmark = pytest.mark.whole_file

IMPORTS = {
    "bench": "import greenlet, bench.__main__, bench.bare, bench.load, bench.peers, bench.reference",
    "docs": "import zensical, smsign.cli",
}
"""What the targets with requirements import; `run` is tested in test_packaging, and `dev` by all tests."""


def test_every_set_of_requirements_is_tried() -> None:
    sets = set(re.findall(r"\$\(VENV\)/(\w+)\.done", (ROOT / "Makefile").read_text("utf-8")))
    assert sets - {"dev", "run"} == set(IMPORTS)


@pytest.mark.parametrize("name", sorted(IMPORTS))
def test_a_target_finds_what_it_imports_in_an_empty_environment(name: str, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    for pins in dict.fromkeys(("run", name)):
        pip: list[str | Path] = [
            python,
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "--no-compile",
        ]
        subprocess.run([*pip, "--require-hashes", "-r", ROOT / f"requirements/{pins}.txt"], check=True)
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
        "HOME": str(tmp_path),
    }
    subprocess.run([python, "-c", IMPORTS[name]], check=True, env=env, cwd=ROOT)
