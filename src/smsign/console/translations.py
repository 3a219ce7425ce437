"""The words of the pages: English is what the templates say, Chinese is kept beside it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

import msgspec


@cache
def words(language: str) -> Mapping[str, str]:
    """Return text of a template -> what the reader sees.

    In English only names of fields, events and the like differ, which templates make up as they go.
    """
    text = resources.files("smsign.console").joinpath(f"words.{language}.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, str])
