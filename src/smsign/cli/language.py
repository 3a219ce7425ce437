"""The language of the command line: Chinese or English, by SMSIGN_LANGUAGE or the locale."""

from __future__ import annotations

import os


def language() -> str:
    """Return "zh" or "en", by SMSIGN_LANGUAGE or else the locale."""
    names = ("SMSIGN_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
    chosen = next((value for name in names if (value := os.environ.get(name))), "")
    return "zh" if chosen.lower().startswith("zh") else "en"


def say(en: str, zh: str) -> str:
    """Return the text in the language of the command line."""
    return zh if language() == "zh" else en
