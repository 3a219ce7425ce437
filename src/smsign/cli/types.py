"""The types of a signature: the API has a number, a person reads and writes a word too."""

from __future__ import annotations

import re
import unicodedata

from smsign.cli.language import language, say
from smsign.domain.signatures import TYPES

HELP = "Types of a signature (--type), by number or word:\n\n\b\n" + "\n".join(
    f"{number}  {word.en} · {word.zh}" for number, word in TYPES.items()
)


def with_word(number: str) -> str:
    """Return a number with its word: "1 company"; an unknown one as it is."""
    word = TYPES.get(number)
    return f"{number} {word.to(language())}" if word else number


def find_type(text: str) -> str | None:
    """Return the number of a type by number or word, None if it is unknown."""
    return _NUMBERS.get(_normal(text))


def list_types() -> str:
    """Return all numbers with their words."""
    return say(", ", "、").join(with_word(number) for number in TYPES)


def _normal(text: str) -> str:
    return re.sub(r"[\s()（）]", "", unicodedata.normalize("NFKC", text).casefold())


_NUMBERS = {
    _normal(name): number
    for number, word in TYPES.items()
    for text in (number, word.en, word.zh)
    for name in (text, *re.split(r" or |或|[（）]", text))
    if name
}
"""By number, by word, and by each part of a word: "trademark", "小程序"."""
