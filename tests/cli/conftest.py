"""Fixtures for the integrators' commands: a process with an environment, as in a CI job."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.running import COVERAGE, Key, Server


class Shell:
    """Runs `smsign …` in a folder, with an application's keys in the environment."""

    def __init__(self, folder: Path, url: str = "", key: Key | None = None) -> None:
        self.folder = folder
        self.env = COVERAGE | {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        if key is not None:
            self.env |= {
                "SMSIGN_URL": url,
                "SMSIGN_APP_KEY": key.app_key,
                "SMSIGN_MASTER_SECRET": key.master_secret,
            }

    def start(self, *arguments: str, **given: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "smsign.cli", *arguments],
            env=self.env,
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **given,
        )

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        out, err = process.communicate(stdin, timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def run_on_a_terminal(self, *arguments: str, answers: tuple[str, ...] = ()) -> tuple[int, str]:
        """Run on a terminal of 80 columns, typing an answer at each prompt; return (exit code, output)."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        process = subprocess.Popen(
            [sys.executable, "-m", "smsign.cli", *arguments],
            env=self.env | {"TERM": "xterm"},
            cwd=self.folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        shown, left = b"", list(answers)
        with suppress(OSError):  # EIO when the process has ended
            while select.select([ours], [], [], 20)[0] and (read := os.read(ours, 65536)):
                shown += read
                if left and re.search(rb"[:\]]:? $", shown):
                    os.write(ours, f"{left.pop(0)}\n".encode())
        os.close(ours)
        try:
            code = process.wait(20)
        finally:
            process.kill()
        return code, re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode()).replace("\r\n", "\n")

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run with --json; return the decoded output."""
        done = self.run(*arguments, "--json")
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout)


@pytest.fixture
def shell(server: Server, tmp_path: Path) -> Shell:
    """A shell with the keys of a new application, which is not a test application."""
    return Shell(tmp_path, server.url, server.make_app())


@pytest.fixture
def test_shell(server: Server, tmp_path: Path) -> Callable[..., Shell]:
    """Return a function that makes a shell with the keys of a test application."""

    def make(delay_ms: int = 0) -> Shell:
        made = server.json("app", "create", f"test-{tmp_path.name}", "--test", "--delay-ms", str(delay_ms))
        return Shell(tmp_path, server.url, Key(made["app_key"], made["master_secret"]))

    return make


def write_csv(file: Path, *lines: str, encoding: str = "utf-8") -> Path:
    """Write a file with CRLF line ends, as spreadsheets do."""
    file.write_bytes("\r\n".join([*lines, ""]).encode(encoding))
    return file
