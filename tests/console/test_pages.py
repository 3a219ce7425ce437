"""Templates and translations: short lines, every text in both languages, no text that is unused."""

from __future__ import annotations

import re
from pathlib import Path

from smsign import console
from smsign.console.translations import words
from smsign.domain import audits
from smsign.domain.events import Kind, Subject

FOLDER = Path(console.__file__).parent
TEMPLATES = sorted(FOLDER.glob("templates/*.html"))
COMPOSED = ("about ", "delivery ", "event ", "field ", "format ", "notice ", "paused ", "role ", "subject ")
"""Keys whose second half is a value: they are translated into English too."""

UNITS = {f"{{n}} {unit}" for unit in ("d", "h", "min")}


def test_no_template_has_a_line_over_160_characters() -> None:
    long = [
        f"{file.name}:{number}"
        for file in TEMPLATES
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if len(line) > 160
    ]
    assert long == []


def test_no_space_follows_a_sentence_inside_a_line() -> None:
    """Chinese has none there: `<br>`, or a text that ends with the space in English only."""
    sentence = re.compile(r'\bt\("[^"]*[.:!?]"[^)]*\) \}\}\s+(?:\{\{|<(?:a|b|code|span)\b).*')
    found = {file.name: spaces for file in TEMPLATES if (spaces := sentence.findall(file.read_text("utf-8")))}
    assert not found


def test_no_chinese_text_has_a_space_inside() -> None:
    for text in words("zh").values():
        assert not re.search(
            r"[\u3400-\u9fff，。；：！？、（）]\s+[\u3400-\u9fff，。；：！？、（）]", text
        ), text


def test_every_template_is_used() -> None:
    used = set()
    for file in [*TEMPLATES, *FOLDER.glob("*.py")]:
        used |= set(re.findall(r'"(\w+\.html)"', file.read_text("utf-8")))
    assert used == {file.name for file in TEMPLATES}


def test_every_text_is_translated_and_every_translation_is_used() -> None:
    texts: set[str] = set()
    for file in [*TEMPLATES, *FOLDER.glob("*.py")]:
        texts |= set(re.findall(r'\bt\(\s*"((?:[^"\\]|\\.)*)"\s*[,)]', file.read_text("utf-8")))
    composed = {f"event {kind}" for kind in Kind} | {f"subject {subject}" for subject in Subject}
    composed |= {f"field {field}" for field in audits.FIELDS}
    assert composed <= set(words("en"))
    chinese = set(words("zh"))
    assert texts | UNITS <= chinese
    assert {text for text in chinese - texts - UNITS if not text.startswith(COMPOSED)} == set()
    assert {text for text in chinese if text.startswith(COMPOSED)} == set(words("en"))
