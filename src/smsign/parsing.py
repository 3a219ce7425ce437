"""Parse whole numbers and RFC 3339 times, and format times."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

INT_MAX = 2**63 - 1
_DIGITS_MAX = 18
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def parse_int(text: str, least: int = 0, most: int = INT_MAX) -> int | None:
    """Return the whole number in `text`, ASCII digits only, or None if it is not one within the bounds."""
    if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS_MAX:
        return None
    number = int(text)
    return number if least <= number <= most else None


def parse_time(text: str) -> int | None:
    """Return a time (RFC 3339) in UTC microseconds, or None if `text` is not one."""
    if not _TIME.fullmatch(text):
        return None
    try:
        return (datetime.fromisoformat(text.upper()) - _EPOCH) // timedelta(microseconds=1)
    except ValueError:
        return None


def rfc3339(at: int) -> str:
    """Return UTC microseconds as `2026-11-24T23:15:52.123456Z`."""
    return (_EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
