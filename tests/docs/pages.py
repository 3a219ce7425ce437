"""The pages of the documentation as tests see them: their fenced blocks, and how each kind is run.

A comment before a block says what is special about it: `<!-- serve -->` starts the page's server in place
of the one before, `<!-- shown: why -->` is not run, `<!-- file: NAME -->` is saved under that name. JSON or
text after a shell block is its expected output; in JSON "…" stands for anything.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import httpx
import msgspec

from smsign.cli import cli
from tests.running import COVERAGE, free_port

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
LANGUAGES = ("en", "zh")
HERE = "http://127.0.0.1:8080"
START_TIMEOUT_S = 20.0
_FENCE = re.compile(
    r"(?:<!-- (serve|shown|file)(?:: (.*?))? -->\n)?```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE
)


class Block(msgspec.Struct, frozen=True):
    """A fenced block."""

    language: str
    text: str
    special: str = ""
    line: int = 0
    about: str = ""

    def bare(self) -> str:
        """Return the text without comments and texts for people: what must be equal in all languages."""
        text = re.sub(r"(?m)\s*(?<![:\w\"'`$])#(?![!\[]).*$", "", self.text)
        return re.sub(
            r'(summary:|Accept-Language:|"refuse_reason":|"reason":|"hint":) *("?)[^"\n]*', r"\1\2", text
        )


def names() -> list[str]:
    """Return the pages, as paths below a language's folder."""
    return sorted(str(path.relative_to(DOCS / "en")) for path in (DOCS / "en").rglob("*.md"))


def blocks(language: str, name: str) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    text = (DOCS / language / name).read_text("utf-8")
    return [
        Block(found[3], found[4], found[1] or "", text[: found.start()].count("\n") + 1, found[2] or "")
        for found in _FENCE.finditer(text)
    ]


class Walk:
    """Runs the examples of a page in order, in an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.beside = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.printed = ""
        self._server: subprocess.Popen[bytes] | None = None
        self._groups: list[int] = []
        bin_folder = folder / "bin"
        bin_folder.mkdir()
        for name, module in (("smsign", "-m smsign.cli"), ("python3", ""), ("python", "")):
            script = bin_folder / name
            script.write_text(f'#!/bin/sh\nexec {sys.executable} {module} "$@"\n')
            script.chmod(0o755)
        self.env = COVERAGE | {
            "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "HOME": str(folder),
            "USER": "reader",
            "TMPDIR": str(folder),
            "LANG": "C.UTF-8",
        }

    def __enter__(self) -> Walk:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_server()
        for group in self._groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def go(self, page: list[Block]) -> int:
        """Run what can be run; return the number of blocks."""
        ran = 0
        python = "\n".join(block.text for block in page if block.language == "python" and not block.special)
        for number, block in enumerate(page):
            if block.special == "serve":
                self._serve(block)
            elif block.special == "file":
                (self.folder / block.about).write_text(self._here(block.text), "utf-8")
            elif block.special == "shown":
                continue
            elif block.language == "text" and page[number - 1].language == "sh":
                assert self.printed == block.text, f"line {block.line}"
            elif block.language == "sh":
                self._shell(block)
            elif block.language == "json" and page[number - 1].language == "sh":
                assert_alike(documents(self._here(block.text)), documents(self.printed), f"line {block.line}")
            elif block.language == "python" and python:
                self._run([sys.executable, "-c", self._here(python)], block)
                python = ""
            elif block.language == "js":
                self._run([find_node(), "--input-type=module", "-e", self._here(block.text)], block)
            else:
                continue
            ran += 1
        return ran

    def _here(self, text: str) -> str:
        return (
            text.replace(HERE, self.url)
            .replace("127.0.0.1:9000", f"127.0.0.1:{self.beside}")
            .replace('"127.0.0.1", 9000', f'"127.0.0.1", {self.beside}')
        )

    def _stop_server(self) -> None:
        if self._server:
            self._server.terminate()
            self._server.wait(20)

    def _serve(self, block: Block) -> None:
        self._stop_server()
        command = ["bash", "-c", f"exec {self._here(block.text).strip()}"]
        env = self.env | {"SMSIGN_PORT": str(self.port)}
        with (self.folder / "server.log").open("ab") as log:
            self._server = subprocess.Popen(command, env=env, cwd=self.folder, stdout=log, stderr=log)
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5, trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.02)
        raise AssertionError(f"line {block.line}: {(self.folder / 'server.log').read_text()}")

    def _shell(self, block: Block) -> None:
        kept = self.folder / "env.sh"
        before = f". {kept}\n" if kept.exists() else ""
        # Background processes outlive the block, and must not hold its output open.
        script = f"{before}{self._here(block.text)}\nexport -p > {kept}"
        self.printed = self._run(["bash", "-euo", "pipefail", "-c", script], block)

    def _run(self, command: list[str], block: Block) -> str:
        out = self.folder / "printed"
        with out.open("wb") as printed, (self.folder / "wrong").open("wb") as wrong:
            process = subprocess.Popen(
                command, env=self.env, cwd=self.folder, stdout=printed, stderr=wrong, start_new_session=True
            )
            self._groups.append(process.pid)  # its background processes are killed at the end
            code = process.wait(60)
        text = out.read_text("utf-8")
        assert code == 0, (f"line {block.line}", block.text, text, (self.folder / "wrong").read_text())
        return text


def documents(text: str) -> list[Any]:
    """Return the JSON documents in `text`."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while rest := text[at:].lstrip():
        at = len(text) - len(rest)
        document, at = decoder.raw_decode(text, at)
        found.append(document)
    return found


def assert_alike(shown: Any, real: Any, where: str) -> None:
    """Raise AssertionError unless `real` equals `shown`, where "…" stands for any text."""
    if shown == "…":
        return
    if isinstance(shown, dict) and isinstance(real, dict):
        assert list(shown) == list(real), (where, shown, real)
        for key in shown:
            assert_alike(shown[key], real[key], f"{where}, {key}")
    elif isinstance(shown, list) and isinstance(real, list):
        assert len(shown) == len(real), (where, shown, real)
        for one, other in zip(shown, real, strict=True):
            assert_alike(one, other, where)
    elif isinstance(shown, str) and "…" in shown and isinstance(real, str):
        assert re.fullmatch(".*".join(map(re.escape, shown.split("…"))), real, re.DOTALL), (
            where,
            shown,
            real,
        )
    else:
        assert shown == real, (where, shown, real)


def unknown_arguments(text: str) -> Iterator[str]:
    """Yield the commands and flags of `smsign` in shell lines that do not exist."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        for at, word in enumerate(words):
            if word in ("smsign", "$BIN/smsign") and (
                at == 0 or words[at - 1] in ("|", "&&", ";", "exec", "sudo")
            ):
                yield from _unknown(words[at + 1 :])


def _unknown(words: list[str]) -> Iterator[str]:
    command: click.Command = cli
    for word in words:
        if word in ("|", "&&", ";", "&", ">", "2>"):
            return
        if isinstance(command, click.Group) and not word.startswith("-"):
            if word not in command.commands:
                yield f"smsign {word}"
                return
            command = cli.load(word) if command is cli else command.commands[word]
        elif word.startswith("--"):
            flags = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)}
            if word.partition("=")[0] not in flags | {"--help", "--version"}:
                yield f"{command.name} {word}"


def find_node() -> str:
    """Return the path of the Node that Playwright brings."""
    from playwright._impl._driver import compute_driver_executable

    return str(compute_driver_executable()[0])
