"""Checks of the data folder and its disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from smsign.actions.doctor.finding import OK, RESTORE, WARNING, WRONG, Finding, Installation
from smsign.errors import SmsignError, TooManyConnections
from smsign.storage.open import sqlite_path

DISK_LOW_BYTES = 1_000_000_000
DISK_FULL_BYTES = 100_000_000


def check_permissions(at: Installation) -> Iterator[Finding]:
    """Check that the data folder is its owner's only, and so are the files in it."""
    folder, check = at.folder, "data folder"
    about = folder.stat()
    if about.st_mode & 0o022:
        yield Finding(check, WRONG, f"{folder} is writable for other users", f"chmod 700 {folder}")
    elif about.st_mode & 0o055:
        what = f"{folder} is readable for other users, images included"
        yield Finding(check, WARNING, what, f"chmod 700 {folder}")
    else:
        yield Finding(check, OK, f"only its owner has access to {folder}")
    files = [at.key_file, *folder.glob("*.db*"), folder / "blobs"]
    if path := sqlite_path(at.database_url):
        files.append(path)
    for file in sorted({file for file in files if file.exists() and file.stat().st_uid != about.st_uid}):
        what = f"{file} belongs to another user than its folder"
        yield Finding(check, WRONG, what, f"chown --reference={folder} {file}")


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
        fix = "free some space, or move the data to a larger disk" if state != OK else ""
        yield Finding("disk", state, f"{free / 1e9:.1f} GB free for {place}", fix)


def fix_access(place: Path) -> str | None:
    """Return how to make `place` readable and writable for the current user; None if it is."""
    if os.access(place, os.R_OK | os.W_OK | (os.X_OK if place.is_dir() else 0)):
        return None
    about = place.stat()
    if about.st_uid != os.geteuid():
        return f"run this as its owner (user {about.st_uid}), or: chown {os.geteuid()} {place}"
    return f"chmod u+rwX {place}; otherwise the disk is mounted read-only"


def fix_database(at: Installation, error: SmsignError) -> str:
    """Return how to fix an error on opening the database."""
    path = sqlite_path(at.database_url)
    if isinstance(error, TooManyConnections):
        return "check database_pool, and the other connections in pg_stat_activity"
    if path is None:
        return "start its server, or use another with --database"
    if not path.exists():
        return "name it with --database, or create one: smsign serve"
    for place in (path.parent, *sorted(path.parent.glob(f"{path.name}*"))):
        if fix := fix_access(place):
            return f"{place}: {fix}"
    return f"use another with --database, or {RESTORE}"
