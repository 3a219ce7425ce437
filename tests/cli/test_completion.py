"""Shell completion: the scripts, and the completions of commands, options and profiles."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from smsign.cli import COMMANDS
from smsign.cli.integrator import profiles
from smsign.cli.integrator.profiles import Config, Profile
from tests.cli.conftest import Shell

pytestmark = pytest.mark.process


def _complete(shell: Shell, *words: str) -> dict[str, str]:
    """Return {completion: help} for words of a command line, as zsh does."""
    shell.env |= {
        "_SMSIGN_COMPLETE": "zsh_complete",
        "COMP_WORDS": " ".join(["smsign", *words]),
        "COMP_CWORD": str(max(1, len(words))),
    }
    lines = shell.run().stdout.splitlines()
    return dict(zip(lines[1::3], lines[2::3], strict=True))


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_a_shell_parses_its_completion_script(tmp_path: Path, name: str) -> None:
    done = Shell(tmp_path).run("completion", name)
    assert done.returncode == 0
    assert f"_SMSIGN_COMPLETE={name}_complete" in done.stdout
    if program := shutil.which(name):
        checked = subprocess.run(
            [program, "-n"], input=done.stdout, text=True, capture_output=True, check=False
        )
        assert checked.returncode == 0, checked.stderr


def test_commands_options_and_profiles_are_completed(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.env["_SMSIGN_COMPLETE"] = ""
    first = _complete(shell)
    assert first == {name: about for name, (_, about) in COMMANDS.items()}
    assert set(_complete(shell, "sign", "re")) == {"resubmit"}
    assert "--wait" in _complete(shell, "sign", "submit", "--w")
    config = Config(profile={"work": Profile(url="https://work.example", app_key="k")})
    profiles.save(tmp_path / ".config" / "smsign" / "config.toml", config)
    assert _complete(shell, "sign", "list", "--profile", "w") == {"work": "https://work.example"}


def test_bash_completes_a_subcommand(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    command = tmp_path / "smsign"
    python = shutil.which("python") or "python3"
    command.write_text(f'#!/bin/sh\nexec {python} -m smsign.cli "$@"\n')
    command.chmod(0o755)
    script = """
eval "$(./smsign completion bash)"
PATH=.:$PATH COMP_WORDS=(smsign sign sub) COMP_CWORD=2
_smsign_completion smsign
echo "${COMPREPLY[@]}"
"""
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=shell.env, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "submit", done.stderr
