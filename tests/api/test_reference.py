"""The samples of the API reference: well-formed in each language, and understood by a server."""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import httpx
import pytest

from smsign.client.pytest_plugin import Emulator, smsign_emulator
from tests.api.document import DOCUMENT
from tests.docs.pages import Block, find_node
from tests.docs.test_examples import parse
from tests.images import noise

__all__ = ["smsign_emulator"]
pytestmark = pytest.mark.process

LANGUAGES = ("curl", "python", "javascript", "java")
NOT_UNDERSTOOD = {"50001", "50002", "50003", "50007", "50016", "50017", "50018", "50019", "50101", "50104"}
"""Codes of requests that are not as the document says; others are about what exists in the service."""


@pytest.fixture(scope="module")
def page(smsign_emulator: Emulator) -> str:
    return httpx.get(f"{smsign_emulator.url}/reference?lang=en", trust_env=False).text


def _samples(page: str, language: str, emulator: Emulator) -> list[str]:
    found = re.findall(rf'<div class="code {language}"><pre [^>]*>(.*?)</pre>', page, re.DOTALL)
    keys = {"APP_KEY": emulator.app_key, "MASTER_SECRET": emulator.master_secret}
    return [re.sub("APP_KEY|MASTER_SECRET", lambda key: keys[key[0]], unescape(each)) for each in found]


def test_every_call_has_a_sample_in_every_language(page: str, smsign_emulator: Emulator) -> None:
    calls = sum(len(methods) for methods in DOCUMENT["paths"].values())
    assert {len(_samples(page, language, smsign_emulator)) for language in LANGUAGES} == {calls}


def test_the_samples_in_java_have_no_syntax_error(page: str, smsign_emulator: Emulator) -> None:
    for sample in _samples(page, "java", smsign_emulator):
        parse(Block("java", sample))


@pytest.mark.parametrize("language", ["curl", "python", "javascript"])
def test_the_samples_send_requests_that_the_server_understands(
    page: str, smsign_emulator: Emulator, tmp_path: Path, language: str
) -> None:
    smsign_emulator.reset()
    (tmp_path / "licence.png").write_bytes(noise())
    samples = _samples(page, language, smsign_emulator)
    samples = [each for each in samples if smsign_emulator.app_key in each]
    programs = {
        "curl": [
            "bash",
            "-c",
            "\n".join(re.sub("^curl", "curl -s -w '\n%{http_code}\n'", each) for each in samples),
        ],
        "python": [sys.executable, "-c", "\n".join(samples)],
        "javascript": [find_node(), "--input-type=module", "-e", _one_module(samples)],
    }
    done = subprocess.run(
        programs[language], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^\d{3}\b", done.stdout, re.MULTILINE)) == len(samples)
    assert not NOT_UNDERSTOOD & set(re.findall(r'"code":(\d{5}),"message"', done.stdout)), done.stdout
    assert re.search(r'\{"sign_id":\d+\}', done.stdout)


def _one_module(samples: list[str]) -> str:
    """Return the samples as one program: their imports first, then each in a scope."""
    imports = {line for each in samples for line in each.splitlines() if line.startswith("import ")}
    bodies = ["\n".join(line for line in each.splitlines() if line not in imports) for each in samples]
    return "\n".join([*imports, *(f"{{\n{body}\n}}" for body in bodies)])
