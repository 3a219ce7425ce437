"""Clients generated from the OpenAPI document type-check, and work with a server."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.openapi.conftest import HERE, Run

pytestmark = pytest.mark.process


def test_a_generated_python_client_works(run: Run, folder: Path, arguments: list[str]) -> None:
    run(
        *("openapi-python-client", "generate", "--path", "openapi.json", "--config", "generator.yaml"),
        *("--output-path", "smsign_api", "--meta", "none", "--fail-on-warning"),
    )
    run("mypy", "--config-file", "mypy.ini", "smsign_api", "client.py")
    run(sys.executable, "client.py", *arguments)


def test_a_generated_typescript_client_works(run: Run, arguments: list[str]) -> None:
    run("openapi-typescript", "openapi.json", "--output", "api.d.ts")
    run("tsc", "--project", "tsconfig.json")
    run("node", "client.ts", *arguments)


def test_the_lock_file_has_hashes_and_no_registry() -> None:
    packages = json.loads((HERE / "package-lock.json").read_text("utf-8"))["packages"]
    for path, package in packages.items():
        assert "resolved" not in package
        assert path == "" or "integrity" in package or package.get("inBundle"), path
