"""What checks get and what they return."""

from __future__ import annotations

from pathlib import Path

import msgspec

from smsign.actions.transfer.copy import Progress
from smsign.storage.engine.bulk import Bulk
from smsign.storage.engine.protocol import Database

OK, WARNING, WRONG = "ok", "warning", "wrong"
RESTORE = "restore a backup into a new database: smsign restore"


class Finding(msgspec.Struct, frozen=True):
    """The result of a check; `fix` is a suggestion unless the state is OK."""

    check: str
    state: str
    what: str
    fix: str = ""


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """The locations of all data, and the current time (UTC microseconds)."""

    folder: Path
    database_url: str
    blobs_url: str
    key: str
    key_file: Path
    now: int


class Context(msgspec.Struct, frozen=True):
    """An installation whose database is open."""

    at: Installation
    meta: dict[str, str]
    rows: Bulk
    db: Database
    progress: Progress


def span(us: int) -> str:
    """Return a duration in words."""
    seconds = us // 1_000_000
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} seconds"
