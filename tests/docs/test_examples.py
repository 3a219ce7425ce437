"""Every example of the documentation is run if possible, otherwise parsed."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from smsign.api.errors import STATUS
from smsign.errors import Code
from tests.docs.pages import DOCS, LANGUAGES, Block, Walk, blocks, names, unknown_arguments

GRAMMARS = {
    "java": ("tree_sitter_java", "language"),
    "php": ("tree_sitter_php", "language_php"),
    "csharp": ("tree_sitter_c_sharp", "language"),
    "go": ("tree_sitter_go", "language"),
}
RUN = {"sh", "json", "python", "js"}
READ = {"yaml", "toml", "ini", "nginx", "caddyfile", "sql", "csv", "text"}
EVERY = [(language, name) for language in LANGUAGES for name in names()]
OFTEN = [(language, name) for language, name in EVERY if blocks(language, name)]


def test_both_languages_have_the_same_pages() -> None:
    for language in LANGUAGES:
        assert (
            sorted(str(path.relative_to(DOCS / language)) for path in (DOCS / language).rglob("*.md"))
            == names()
        )


@pytest.mark.parametrize("name", names())
def test_both_languages_show_the_same_examples(name: str) -> None:
    english, chinese = (
        [(each.language, each.special, each.bare()) for each in blocks(language, name)]
        for language in LANGUAGES
    )
    assert chinese == english


@pytest.mark.parametrize(("language", "name"), OFTEN)
def test_an_example_uses_a_known_language_and_existing_commands(language: str, name: str) -> None:
    for block in blocks(language, name):
        assert block.language in RUN | READ | set(GRAMMARS), block
        if block.language == "sh":
            assert not list(unknown_arguments(block.text)), block
            subprocess.run(["bash", "-n", "-c", block.text], check=True)
        elif block.language == "python":
            ast.parse(block.text)


def _pages_to_walk() -> list[tuple[str, str]]:
    chosen = []
    for name in names():
        english, chinese = blocks("en", name), blocks("zh", name)
        if any(each.language in RUN and each.special != "shown" for each in english):
            chosen.append(("en", name))
            if [each.text for each in english] != [each.text for each in chinese]:
                chosen.append(("zh", name))
    return chosen


@pytest.mark.process
@pytest.mark.parametrize(("language", "name"), _pages_to_walk())
def test_the_examples_of_a_page_run_and_print_what_it_shows(language: str, name: str, tmp_path: Path) -> None:
    with Walk(tmp_path) as walk:
        assert walk.go(blocks(language, name))


@pytest.mark.parametrize(("language", "name"), OFTEN)
def test_examples_that_cannot_be_run_are_well_formed(language: str, name: str) -> None:
    for block in blocks(language, name):
        if block.language in GRAMMARS:
            parse(block)
        elif block.language == "json":
            for each in block.text.split("\n\n"):
                assert each.strip()
        elif block.language == "toml":
            tomllib.loads(block.text)
        elif block.language == "yaml":
            yaml = pytest.importorskip("yaml")
            assert yaml.safe_load(block.text)
        elif block.language in ("nginx", "caddyfile"):
            _check_braces(block)


def parse(block: Block) -> None:
    """Raise AssertionError if the text of a block has a syntax error."""
    tree_sitter = pytest.importorskip("tree_sitter")
    module, function = GRAMMARS[block.language]
    language = tree_sitter.Language(getattr(importlib.import_module(module), function)())
    tree = tree_sitter.Parser(language).parse(block.text.encode())
    assert not tree.root_node.has_error, (block, str(tree.root_node))


def _check_braces(block: Block) -> None:
    bare = re.sub(r"#.*", "", block.text)
    assert bare.count("{") == bare.count("}") > 0
    if block.language == "nginx":
        for line in filter(None, map(str.strip, bare.splitlines())):
            assert line.endswith((";", "{", "}")), line


def test_alerting_rules_use_metrics_that_exist() -> None:
    metrics = set(
        re.findall(r'"(smsign_\w+)"', (DOCS.parent / "src/smsign/http/metrics.py").read_text("utf-8"))
    )
    for language in LANGUAGES:
        text = (DOCS / language / "how-to" / "monitor.md").read_text("utf-8")
        for named in re.findall(r"\bsmsign_\w+", text):
            assert re.sub(r"_(bucket|count|sum)$", "", named) in metrics, named


def test_every_text_of_the_reference_has_a_chinese_translation() -> None:
    from tests.docs.test_reference import load_reference

    texts: set[str] = set()
    reference = load_reference()
    say = reference.words("zh")
    reference.words = lambda language: lambda text: (texts.add(text), say(text))[1]  # type: ignore[func-returns-value]
    reference.pages("zh")
    missing = {text for text in texts if re.search("[a-z]{2}", text) and say(text) == text}
    assert not missing, f"add to docs/words.zh.json or src/smsign/cli/words.zh.json: {sorted(missing)}"


def test_the_code_cites_headings_that_exist() -> None:
    headings = set(re.findall(r"(?m)^## (.+)$", (DOCS / "en/design/wire.md").read_text("utf-8")))
    cited = [
        found
        for folder in ("src", "tests")
        for path in (DOCS.parent / folder).rglob("*.py")
        for found in re.findall(r"\(wire\.md, ([^,)]+)", path.read_text("utf-8"))
    ]
    assert cited
    assert set(cited) <= headings


def test_the_contract_lists_the_codes_of_the_code() -> None:
    for language in LANGUAGES:
        text = (DOCS / language / "contract.md").read_text("utf-8")
        rows = re.findall(r"(?m)^\| (\d{3}) \| (\d{5}) \| `(.+?)` \|", text)
        published = [code for code in Code if code < 51000 and code != Code.OUT_OF_FREQ]
        assert rows == [(str(STATUS[code]), str(int(code)), code.message) for code in published]
