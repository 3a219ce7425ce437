"""Checks of the data folder and its disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from smsign.actions.doctor.finding import NOTHING, OK, RESTORE, WARNING, WRONG, Finding, Installation, same
from smsign.errors import SmsignError, Text, TooManyConnections
from smsign.storage.open import sqlite_path

DISK_LOW_BYTES = 1_000_000_000
DISK_FULL_BYTES = 100_000_000


def check_permissions(at: Installation) -> Iterator[Finding]:
    """Check that the data folder is its owner's only, and so are the files in it."""
    folder, check = at.folder, "data folder"
    about = folder.stat()
    if about.st_mode & 0o022:
        what = Text(f"{folder} is writable for other users", f"其他用户可以写入 {folder}")
        yield Finding(check, WRONG, what, same(f"chmod 700 {folder}"))
    elif about.st_mode & 0o055:
        what = Text(
            f"{folder} is readable for other users, images included", f"其他用户可以读取 {folder}，包括图片"
        )
        yield Finding(check, WARNING, what, same(f"chmod 700 {folder}"))
    else:
        yield Finding(check, OK, Text(f"only its owner has access to {folder}", f"仅所有者可访问 {folder}"))
    files = [at.key_file, *folder.glob("*.db*"), folder / "blobs"]
    if path := sqlite_path(at.database_url):
        files.append(path)
    for file in sorted({file for file in files if file.exists() and file.stat().st_uid != about.st_uid}):
        what = Text(f"{file} belongs to another user than its folder", f"{file} 与所在目录的所有者不同")
        yield Finding(check, WRONG, what, same(f"chown --reference={folder} {file}"))


def check_disk(at: Installation) -> Iterator[Finding]:
    """Check the free space of every disk that has data."""
    places = [at.folder]
    if path := sqlite_path(at.database_url):
        places.append(path.parent)
    if at.blobs_url.startswith("file:"):
        places.append(Path(at.blobs_url.removeprefix("file:").removeprefix("//")))
    seen = set()
    for place in places:
        if not place.exists() or (device := place.stat().st_dev) in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(place).free
        state = WRONG if free < DISK_FULL_BYTES else WARNING if free < DISK_LOW_BYTES else OK
        fix = Text("free some space, or move the data to a larger disk", "释放空间，或把数据移到更大的磁盘")
        what = Text(f"{free / 1e9:.1f} GB free for {place}", f"{place} 剩余 {free / 1e9:.1f} GB")
        yield Finding("disk", state, what, fix if state != OK else NOTHING)


def fix_access(place: Path) -> Text | None:
    """Return how to make `place` readable and writable for the current user; None if it is."""
    if os.access(place, os.R_OK | os.W_OK | (os.X_OK if place.is_dir() else 0)):
        return None
    owner, user = place.stat().st_uid, os.geteuid()
    if owner != user:
        return Text(
            f"run this as its owner (user {owner}), or: chown {user} {place}",
            f"以其所有者（用户 {owner}）运行，或 chown {user} {place}",
        )
    return Text(
        f"chmod u+rwX {place}; otherwise the disk is mounted read-only",
        f"chmod u+rwX {place}；否则是磁盘以只读方式挂载",
    )


def fix_database(at: Installation, error: SmsignError) -> Text:
    """Return how to fix an error on opening the database."""
    path = sqlite_path(at.database_url)
    if isinstance(error, TooManyConnections):
        return Text(
            "check database_pool, and the other connections in pg_stat_activity",
            "检查 database_pool，以及 pg_stat_activity 中的其他连接",
        )
    if path is None:
        return Text(
            "start its server, or use another with --database",
            "启动数据库服务器，或用 --database 指定其他数据库",
        )
    if not path.exists():
        return Text(
            "name it with --database, or create one: smsign serve", "用 --database 指定，或创建：smsign serve"
        )
    for place in (path.parent, *sorted(path.parent.glob(f"{path.name}*"))):
        if fix := fix_access(place):
            return Text(f"{place}: {fix.en}", f"{place}：{fix.zh}")
    return Text(
        f"use another with --database, or {RESTORE.en}", f"用 --database 指定其他数据库，或{RESTORE.zh}"
    )
