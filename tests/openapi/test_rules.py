"""The OpenAPI document has no problem by the rules of Spectral and Redocly."""

from __future__ import annotations

import json

import pytest

from tests.openapi.conftest import Run

pytestmark = pytest.mark.process


def test_spectral_finds_nothing(run: Run) -> None:
    run("spectral", "lint", "openapi.json", "--ruleset", "spectral.yaml", "--fail-severity", "hint")


def test_patterns_mean_the_same_with_and_without_the_unicode_flag(run: Run) -> None:
    run("node", "patterns.js")


def test_redocly_finds_nothing(run: Run) -> None:
    found = json.loads(run("redocly", "lint", "openapi.json", "--format", "json", "--max-problems", "1000"))
    assert [each["message"] for each in found["problems"]] == []
