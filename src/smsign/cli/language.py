"""The language of the command line: Chinese or English, by SMSIGN_LANGUAGE or the locale."""

from __future__ import annotations

import os


def language() -> str:
    """Return "zh" or "en", by SMSIGN_LANGUAGE or else the locale."""
    names = ("SMSIGN_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
    chosen = next((value for name in names if (value := os.environ.get(name))), "")
    return "zh" if chosen.lower().startswith("zh") else "en"


def word(text: str) -> str:
    """Return a fixed text in the language of the command line; words.zh.json has the Chinese."""
    if language() != "zh":
        return text
    from smsign.cli.chinese import words  # lazy: English does without the table

    return words().get(text, text)


def say(en: str, zh: str) -> str:
    """Return a composed text in the language of the command line."""
    return zh if language() == "zh" else en
