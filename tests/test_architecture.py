"""The floors: imports go downward only, siblings never meet, and files stay small."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median

import pytest

SRC = Path(__file__).parent.parent / "src" / "smsign"
FREE = {"errors", "parsing", "__init__"}
ALLOWED = {
    "errors": set(),
    "parsing": set(),
    "domain": {"domain"},
    "config": {"config_files", "domain"},
    "config_files": set(),
    "log": set(),
    "storage": {"storage", "domain", "config"},
    "actions": {"actions", "storage", "domain"},
    "http": {"http", "storage", "domain", "config", "log"},
    "api": {"api", "http", "actions", "storage", "domain"},
    "console": {"console", "http", "actions", "storage", "domain"},
    "worker": {"worker", "actions", "storage", "domain", "config", "log"},
    "client": {"client"},
    "main": {"api", "console", "worker", "http", "actions", "storage", "config", "log"},
    "__main__": {"cli"},
    "cli": {"cli", "main", "worker", "client", "http", "actions", "storage", "domain", "config", "log"},
}
IMPURE = {"os", "time", "random", "secrets", "socket", "asyncio", "pathlib", "datetime", "io", "subprocess"}
FILES = sorted(SRC.rglob("*.py"))
FILES_IN_A_FOLDER = 20
"""Some fifteen of one kind, the package's own `__init__` and a few that they share."""


def _floor(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".py")


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SRC)))
def test_imports_go_to_lower_layers_only(path: Path) -> None:
    floor = _floor(path)
    if floor == "__init__":
        return
    used = {name.split(".")[1] for name in _imports(path) if name.startswith("smsign.")}
    used -= FREE - ({"errors", "parsing"} if floor == "client" else set()) | {"__version__"}
    assert used <= ALLOWED[floor], f"{floor} must not import {used - ALLOWED[floor]}"


@pytest.mark.parametrize(
    "path", [path for path in FILES if _floor(path) == "domain"], ids=lambda path: path.name
)
def test_the_domain_imports_no_clock_no_io_and_no_randomness(path: Path) -> None:
    assert not {name.split(".")[0] for name in _imports(path)} & IMPURE


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SRC)))
def test_a_file_has_at_most_300_lines_and_a_docstring(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 300
    assert ast.get_docstring(ast.parse(text)), "a module says what it owns"


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.rglob("*.py")), ids=lambda path: path.name)
def test_a_test_file_has_at_most_300_lines(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 300


def test_the_median_file_has_at_most_120_lines() -> None:
    assert median(len(path.read_text("utf-8").splitlines()) for path in FILES) <= 120


def test_there_are_no_import_cycles() -> None:
    """Imports inside functions and for type checkers only are imports too."""
    names = {_module(path) for path in FILES}
    graph = {_module(path): _modules(path, names) for path in FILES}
    list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


@pytest.mark.parametrize("folder", sorted({path.parent for path in FILES}), ids=lambda folder: folder.name)
def test_a_folder_has_at_most_20_files(folder: Path) -> None:
    assert len(list(folder.glob("*.py"))) <= FILES_IN_A_FOLDER


def _module(path: Path) -> str:
    return ".".join(path.relative_to(SRC.parent).with_suffix("").parts).removesuffix(".__init__")


def _modules(path: Path, names: set[str]) -> set[str]:
    """Return the modules that a file imports: the longest part of each dotted name that is one."""
    found = set()
    for name in _imports(path):
        while name not in names and "." in name:
            name = name.rpartition(".")[0]
        if name in names and name != "smsign":
            found.add(name)
    return found - {_module(path)}


def test_only_storage_contains_sql() -> None:
    for path in FILES:
        if _floor(path) != "storage":
            text = path.read_text("utf-8")
            assert "SELECT " not in text
            assert "INSERT INTO" not in text
