"""The words of the documentation: standard terms, links and files that exist, no spaces inside Chinese."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob(".github/**/*.md"), *ROOT.glob("docs/*/**/*.md")])
CHINESE = sorted((ROOT / "docs/zh").rglob("*.md"))
NOT_ALLOWED = re.compile(
    r"\btold\b|(?<!token )\bendpoints?\b|(?<!Illegal )\bpictures?\b|\bwhoever\b|\bof (?:its|their) own\b"
    r"|\bfor real\b|\banother look\b|\bunforeseen\b|\bfind out what is wrong\b|\bmend(?:s|ed|ing)?\b",
    re.I,
)
SOURCES = sorted(
    path
    for root in ("src", "tests", "bench")
    for path in (ROOT / root).rglob("*")
    if path.suffix in (".py", ".html", ".css", ".js", ".toml")
    and path.name not in ("test_words.py", "htmx.min.js")
)
NOT_ALLOWED_IN_CODE = re.compile(
    r"\btold\b|\bRefusal\b(?! reasons)|\bheard\b|\bhasten|\bsettled?\b|\bunforeseen\b|\bwhoever\b"
    r"|\banother look\b"
    r"|\bof (?:its|their) own(?!ers?)\b|\bfor real\b|(?<!UserInfo )(?<!token[_-])(?<!AWS_)\bendpoints?\b"
)
HAN = "[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]"


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_a_page_uses_the_standard_terms(path: Path) -> None:
    assert not NOT_ALLOWED.findall(path.read_text("utf-8"))


def test_the_code_uses_the_standard_terms() -> None:
    found = {
        f"{_name(path)}:{number}": words
        for path in SOURCES
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if (words := NOT_ALLOWED_IN_CODE.findall(line))
    }
    assert not found


@pytest.mark.parametrize("path", [path for path in PAGES if path.parent == ROOT], ids=_name)
def test_every_link_of_a_page_at_the_top_leads_to_a_file(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text("utf-8")):
        assert target.startswith("https://") or (ROOT / unquote(target)).exists(), target


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_every_file_that_a_page_names_exists(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    for path in re.findall(r"`((?:[\w.]+/)*\w+\.(?:py|json|sql|md))`", text):
        if not re.search("NOUN|NAME", path):
            whole = any((root / path).exists() for root in (ROOT, ROOT / "src/smsign"))
            bare = "/" not in path and any(list((ROOT / root).rglob(path)) for root in ("src", "tests"))
            assert whole or bare, path


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 100


@pytest.mark.parametrize(
    "name", ["docs/words.zh.json", "src/smsign/cli/words.zh.json", "src/smsign/api/openapi.json"]
)
def test_no_text_has_a_space_inside_chinese(name: str) -> None:
    assert not re.findall(rf".{{0,20}}{HAN} +{HAN}.{{0,20}}", (ROOT / name).read_text("utf-8"))


@pytest.mark.parametrize("path", CHINESE, ids=_name)
def test_no_line_of_a_page_breaks_inside_chinese(path: Path) -> None:
    """A line break between two characters is shown as a space."""
    text = re.sub(r"(?ms)^```.*?^```$", "", path.read_text("utf-8"))
    assert not re.findall(rf"{HAN}\n{HAN}.*", text)
