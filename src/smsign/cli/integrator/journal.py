"""The journal of an import, next to its CSV: the state of each row, as append-only JSON Lines.

An incomplete line, left by a crash, is ignored. The file is locked while it is open.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from smsign.client import Detail
from smsign.errors import SetupError

SUBMITTING, SUBMITTED, PASSED, REFUSED, FAILED = "submitting", "submitted", "passed", "refused", "failed"
DELETED = "deleted"
DECIDED = (PASSED, REFUSED, DELETED)


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of a row. `at` is a Unix timestamp in seconds."""

    key: str
    state: str
    line: int
    sign: str
    sign_id: int = 0
    code: str = ""
    message: str = ""
    details: tuple[Detail, ...] = ()
    at: float = 0.0


class Journal:
    """The latest entries by key, and the file open for appending. Use it in a `with` statement."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.entries: dict[str, Entry] = {}

    def __enter__(self) -> Self:
        """Open, lock and read the file.

        Raises: SetupError.
        """
        try:
            self._fd = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise SetupError(
                f"{self.file}: {error.strerror}; the journal is not writable",
                f"{self.file}：{error.strerror}；无法写入导入日志",
            ) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._fd)
            raise SetupError(
                f"{self.file} is locked: another import of this file is running",
                f"{self.file} 已锁定：该文件的另一次导入正在运行",
            ) from None
        data = self.file.read_bytes()
        if data and not data.endswith(b"\n"):
            os.write(self._fd, b"\n")
        for number, line in enumerate(data.splitlines(), 1):
            try:
                entry = msgspec.json.decode(line, type=Entry)
            except (msgspec.DecodeError, UnicodeDecodeError):
                if line.startswith(b'{"key"') or not line:
                    continue  # incomplete after a crash
                os.close(self._fd)
                raise SetupError(
                    f"{self.file}, line {number}: not the journal of an import",
                    f"{self.file}，第 {number} 行：不是导入日志",
                ) from None
            self.entries[entry.key] = entry
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def add(self, entry: Entry) -> Entry:
        """Append an entry, and sync the file."""
        entry = msgspec.structs.replace(entry, at=time.time())
        os.write(self._fd, msgspec.json.encode(entry) + b"\n")
        os.fsync(self._fd)
        self.entries[entry.key] = entry
        return entry
