"""SQLite: group commit, other writers, a full disk, durability."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from smsign import config
from smsign.config import Settings
from smsign.errors import StorageError
from smsign.storage.open import open_stores
from tests.storage.test_database import _count, _put


def _sqlite(tmp_path: Path) -> Settings:
    return config.load({"data": str(tmp_path)}, {})


async def test_many_writers_share_a_commit(tmp_path: Path) -> None:
    stores = await open_stores(_sqlite(tmp_path))
    commits = 0

    def count() -> bool:
        nonlocal commits
        commits += 1
        return False

    stores.db._writer.set_commit_hook(count)  # type: ignore[attr-defined]
    await asyncio.gather(*(stores.db.write(partial(_put, name=f"g{n}")) for n in range(500)))
    assert await _count(stores, "g") == 500
    assert 2 <= commits <= 20
    stores.db._writer.set_commit_hook(None)  # type: ignore[attr-defined]
    await stores.close()


_HOLD = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
other.execute("COMMIT")
other.close()
"""


async def test_another_writing_process_delays_writes_but_not_reads(tmp_path: Path) -> None:
    stores = await open_stores(_sqlite(tmp_path))
    other = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path / "smsign.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert other.stdin is not None
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    write = asyncio.create_task(stores.db.write(lambda tx: _put(tx, "waits")))
    await asyncio.sleep(0.05)
    started = time.monotonic()
    assert await _count(stores, "waits") == 0
    assert time.monotonic() - started < 0.5
    assert not write.done()
    other.communicate(b"\n")
    assert await write == "waits"
    await stores.close()


async def test_a_full_disk_is_an_error_and_writes_work_again_afterwards(tmp_path: Path) -> None:
    stores = await open_stores(_sqlite(tmp_path))
    writer = stores.db._writer  # type: ignore[attr-defined]
    [(pages,)] = writer.execute("PRAGMA page_count")
    list(writer.execute(f"PRAGMA max_page_count = {pages + 2}"))
    with pytest.raises(StorageError):
        await stores.db.write(lambda tx: _put(tx, "big", "x" * 100_000))
    list(writer.execute("PRAGMA max_page_count = 1000000"))
    assert await stores.db.write(lambda tx: _put(tx, "small")) == "small"
    assert await _count(stores, "big") == 0
    await stores.close()


async def test_the_database_syncs_each_commit(tmp_path: Path) -> None:
    stores = await open_stores(_sqlite(tmp_path))
    writer = stores.db._writer  # type: ignore[attr-defined]
    assert list(writer.execute("PRAGMA synchronous")) == [(2,)]
    assert list(writer.execute("PRAGMA journal_mode")) == [("wal",)]
    assert os.stat(tmp_path / "secret.key").st_mode & 0o777 == 0o600
    await stores.close()
