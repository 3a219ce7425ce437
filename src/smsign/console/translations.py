"""The translations of the pages: templates contain the English, words.zh.json the Chinese of each text."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

import msgspec


@cache
def words(language: str) -> Mapping[str, str]:
    """Return text of a template -> what the page shows.

    words.en.json holds only the texts whose key is composed, such as `event signature.passed`.
    """
    text = resources.files("smsign.console").joinpath(f"words.{language}.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, str])
