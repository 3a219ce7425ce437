"""What checks get and what they return."""

from __future__ import annotations

from pathlib import Path

import msgspec

from smsign.actions.transfer.copy import Progress
from smsign.errors import SmsignError, Text, UserError
from smsign.storage.engine.bulk import Bulk
from smsign.storage.engine.protocol import Database

OK, WARNING, WRONG = "ok", "warning", "wrong"
RESTORE = Text("restore a backup into a new database: smsign restore", "把备份恢复到新数据库：smsign restore")
NOTHING = Text("", "")


class Finding(msgspec.Struct, frozen=True):
    """The result of a check; `fix` is a suggestion unless the state is OK."""

    check: str
    state: str
    what: Text
    fix: Text = NOTHING


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """The locations of all data, and the current time (UTC microseconds)."""

    folder: Path
    database_url: str
    blobs_url: str
    key: str
    key_file: Path
    now: int
    deep: bool = False
    """Whether the bytes of all images are read and compared with their hashes."""


class Context(msgspec.Struct, frozen=True):
    """An installation whose database is open."""

    at: Installation
    meta: dict[str, str]
    rows: Bulk
    db: Database
    progress: Progress


def span(us: int) -> Text:
    """Return a duration in words."""
    seconds = us // 1_000_000
    for en, zh, length in (("days", "天", 86_400), ("hours", "小时", 3_600), ("minutes", "分钟", 60)):
        if seconds >= 2 * length:
            return Text(f"{seconds // length} {en}", f"{seconds // length} {zh}")
    return Text(f"{seconds} seconds", f"{seconds} 秒")


def same(text: str) -> Text:
    """Return a text that is the same in both languages, such as a command."""
    return Text(text, text)


def about(error: SmsignError | OSError) -> Text:
    """Return the message of an error."""
    return error.text if isinstance(error, UserError) else same(str(error))
