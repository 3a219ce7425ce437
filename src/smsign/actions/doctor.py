"""Look at everything that an operator can get wrong, and say how to mend each thing; change nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import msgspec

from smsign.actions import events
from smsign.actions.blobs import AGE_S
from smsign.actions.copy import Progress
from smsign.errors import SmsignError, TooManyConnections
from smsign.storage.blobs.store import Blobs
from smsign.storage.engine.bulk import UNFINISHED, Bulk
from smsign.storage.engine.migrate import SCHEMA, migrations
from smsign.storage.engine.protocol import Database
from smsign.storage.open import KEY_FINGERPRINT, open_blobs, open_database, open_source, sqlite_path
from smsign.storage.rows import health
from smsign.storage.vault import fingerprint, read_key

OK, WARNING, WRONG = "ok", "warning", "wrong"
DISK_LOW_BYTES = 1_000_000_000
DISK_FULL_BYTES = 100_000_000
CLOCK_APART_US = 5_000_000
DAY_US = 86_400_000_000
_RESTORE = "restore a backup into a new database: smsign restore"


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, what was found, and how to mend it."""

    check: str
    state: str
    what: str
    mend: str = ""


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """Where everything is, and what time it is (UTC microseconds)."""

    folder: Path
    database_url: str
    blobs_url: str
    key: str
    key_file: Path
    now: int


async def diagnose(installation: Installation, progress: Progress) -> AsyncIterator[Finding]:
    """Yield what is found, in the order in which it is best mended."""
    if not installation.folder.is_dir():
        yield Finding(
            "data folder",
            WRONG,
            f"{installation.folder} does not exist",
            "name it with --data or SMSIGN_DATA",
        )
        return
    if shut := _way_into(installation.folder):
        yield Finding("data folder", WRONG, f"{installation.folder} cannot be read and written to", shut)
    if not os.access(installation.folder, os.R_OK | os.X_OK):
        return
    for finding in (*_look_at_folder(installation), *_look_at_disk(installation)):
        yield finding
    try:
        rows = await open_source(installation.database_url)
        db = await open_database(installation.database_url, pool_size=2)
    except SmsignError as error:
        yield Finding("database", WRONG, str(error), _mend_database(installation, error))
        return
    try:
        async for finding in _look_inside(installation, rows, db, progress):
            yield finding
    except SmsignError as error:
        yield Finding("database", WRONG, str(error), _RESTORE)
    finally:
        await rows.close()
        await db.close()


def _way_into(place: Path) -> str | None:
    """Return how `place` is made readable and writable for whoever runs this; None where it is."""
    if os.access(place, os.R_OK | os.W_OK | (os.X_OK if place.is_dir() else 0)):
        return None
    about = place.stat()
    if about.st_uid != os.geteuid():
        return f"run this as its owner (user {about.st_uid}), or: chown {os.geteuid()} {place}"
    return f"chmod u+rwX {place}; if that is not it, the disk is mounted read-only"


def _mend_database(installation: Installation, error: SmsignError) -> str:
    path = sqlite_path(installation.database_url)
    if isinstance(error, TooManyConnections):
        return "see database_pool, and in pg_stat_activity what else is connected"
    if path is None:
        return "start its server, or name another with --database"
    if not path.exists():
        return "name it with --database, or: smsign serve makes one"
    for place in (path.parent, *sorted(path.parent.glob(f"{path.name}*"))):
        if way := _way_into(place):
            return f"{place}: {way}"
    return f"name another with --database, or {_RESTORE}"


def _look_at_folder(installation: Installation) -> Iterator[Finding]:
    folder, check = installation.folder, "data folder"
    about = folder.stat()
    if about.st_mode & 0o022:
        yield Finding(check, WRONG, f"{folder} can be written to by other users", f"chmod 700 {folder}")
    elif about.st_mode & 0o055:
        yield Finding(
            check, WARNING, f"{folder} can be read by other users, evidence included", f"chmod 700 {folder}"
        )
    else:
        yield Finding(check, OK, f"{folder} is its owner's alone")
    files = [installation.key_file, *folder.glob("*.db*"), folder / "blobs"]
    if path := sqlite_path(installation.database_url):
        files.append(path)
    for file in sorted({file for file in files if file.exists() and file.stat().st_uid != about.st_uid}):
        yield Finding(
            check,
            WRONG,
            f"{file} belongs to another user than its folder",
            f"chown --reference={folder} {file}",
        )


def _look_at_disk(installation: Installation) -> Iterator[Finding]:
    places = [installation.folder]
    if path := sqlite_path(installation.database_url):
        places.append(path.parent)
    if installation.blobs_url.startswith("file:"):
        places.append(Path(installation.blobs_url.removeprefix("file:").removeprefix("//")))
    seen = set()
    for place in places:
        if not place.exists() or (device := place.stat().st_dev) in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(place).free
        state = WRONG if free < DISK_FULL_BYTES else WARNING if free < DISK_LOW_BYTES else OK
        mend = "make room, or move the data to a larger disk" if state != OK else ""
        yield Finding("disk", state, f"{free / 1e9:.1f} GB free for {place}", mend)


async def _look_inside(
    installation: Installation, rows: Bulk, db: Database, progress: Progress
) -> AsyncIterator[Finding]:
    about = await rows.meta()
    yield (schema := _look_at_schema(about))
    yield _look_at_key(installation, about)
    if schema.state != OK:
        return
    looks: tuple[tuple[str, Callable[[], Awaitable[Finding]]], ...] = (
        ("clock", lambda: _look_at_clock(installation, db)),
        ("integrity", lambda: _look_at_pages(db)),
        ("ids", lambda: _look_at_ids(rows)),
        ("rows", lambda: _look_at_rows(db)),
        ("ledger", lambda: _look_at_ledger(db, progress)),
        ("outbox", lambda: _look_at_outbox(installation, rows, db)),
        ("images", lambda: _look_at_images(installation, rows, progress)),
    )
    for check, look in looks:
        try:
            yield await look()
        except SmsignError as error:
            yield Finding(check, WRONG, str(error), _RESTORE)


def _look_at_schema(about: dict[str, str]) -> Finding:
    check, number = "schema", int(about.get(SCHEMA, 0))
    if not number:
        return Finding(
            check, WRONG, "this is not a database of smsign, or an empty one", "smsign serve makes one"
        )
    if UNFINISHED in about:
        return Finding(check, WRONG, "a copy into this database is not finished", "give its command again")
    if number > max(migrations()):
        return Finding(check, WRONG, f"number {number}, made by a newer smsign", "upgrade smsign")
    if number < max(migrations()):
        mend = "the next start brings it up to date, or: smsign migrate"
        return Finding(check, WARNING, f"number {number} of {max(migrations())}; no more was looked at", mend)
    return Finding(check, OK, f"number {number}")


def _look_at_key(installation: Installation, about: dict[str, str]) -> Finding:
    check, file = "secret key", installation.key_file
    try:
        key = read_key(installation.key, file)
        in_file = read_key("", file) if installation.key else key
    except (SmsignError, OSError) as error:
        return Finding(check, WRONG, str(error), "put the right key in place")
    if key is None:
        return Finding(check, WRONG, f"{file} does not exist", "bring it back from a backup")
    if about.get(KEY_FINGERPRINT) not in (None, fingerprint(key)):
        return Finding(check, WRONG, "this database was made with another one", "put that key in place")
    if file.exists() and file.stat().st_mode & 0o077:
        return Finding(check, WRONG, f"{file} can be read by other users", f"chmod 600 {file}")
    if in_file not in (None, key):
        return Finding(check, WARNING, f"the setting counts, and {file} holds another one", f"remove {file}")
    return Finding(check, OK, "it is this database's")


async def _look_at_clock(installation: Installation, db: Database) -> Finding:
    check, mend = "clock", "set the clock: timedatectl set-ntp true"
    newest = await health.find_newest_event_at(db.scan) or 0
    if (ahead := newest - installation.now) > CLOCK_APART_US:
        return Finding(check, WRONG, f"the newest event is {_span(ahead)} in the future", mend)
    server = await db.server_time()
    if server and abs(server - installation.now) > CLOCK_APART_US:
        apart = _span(abs(server - installation.now))
        return Finding(check, WARNING, f"this machine and the database's server are {apart} apart", mend)
    return Finding(check, OK, "it agrees with the newest event" + " and the database's server" * bool(server))


async def _look_at_pages(db: Database) -> Finding:
    damage = await db.find_damage()
    told = "; ".join(damage) or "the engine finds no fault"
    return Finding("integrity", WRONG if damage else OK, told, _RESTORE if damage else "")


async def _look_at_ids(rows: Bulk) -> Finding:
    again = await health.find_reused_ids(rows)
    if again:
        told = f"{', '.join(again)}: the next id would be one that is taken"
        return Finding("ids", WRONG, told, "smsign copy into a new database takes them over")
    return Finding("ids", OK, "none would be given out twice")


async def _look_at_rows(db: Database) -> Finding:
    wrong = await health.find_inconsistencies(db.scan)
    mend = "see what happened: smsign audit show ID, smsign events verify" if wrong else ""
    return Finding("rows", WRONG if wrong else OK, "; ".join(wrong) or "no two disagree", mend)


async def _look_at_ledger(db: Database, progress: Progress) -> Finding:
    verdict = await events.verify(db, lambda walked: progress("walking the ledger", walked, 0))
    if verdict.fault:
        mend = "find out who edited it; a backup has the rows as they were"
        return Finding("ledger", WRONG, verdict.fault, mend)
    return Finding(
        "ledger", OK, f"{verdict.events:,} events in {verdict.chains:,} chains, as they were written"
    )


async def _look_at_outbox(installation: Installation, rows: Bulk, db: Database) -> Finding:
    waiting = await health.find_backlog(rows, db.scan)
    if waiting is None:
        return Finding("outbox", OK, "nothing waits")
    count, since = waiting
    told = f"{count:,} events wait for endpoints, the oldest for {_span(installation.now - since)}"
    if installation.now - since < DAY_US:
        return Finding("outbox", OK, told)
    return Finding(
        "outbox", WARNING, told, "see that `smsign serve` or a worker runs, and which endpoint is down"
    )


async def _look_at_images(installation: Installation, rows: Bulk, progress: Progress) -> Finding:
    check = "images"
    try:
        blobs = open_blobs(installation.blobs_url, data=installation.folder)
        await blobs.check()
        missing, kept, orphans = await _compare(rows, blobs, installation.now / 1e6 - AGE_S, progress)
    except SmsignError as error:
        return Finding(check, WRONG, str(error), "see --blobs, its permissions, and the AWS_… variables")
    if missing:
        told = f"{len(missing):,} of those that rows name are missing: {missing[0]}"
        return Finding(check, WRONG, told, f"bring them back from a backup into {installation.blobs_url}")
    if orphans:
        told = f"{orphans:,} older than a day are named by no row"
        return Finding(check, WARNING, told, "smsign sweep removes them; see that sweep_hours is not 0")
    return Finding(check, OK, f"all that rows name are there; {kept:,} in the store")


async def _compare(
    rows: Bulk, blobs: Blobs, before_s: float, progress: Progress
) -> tuple[list[str], int, int]:
    # The rows were read first: what they name was kept before, and is never swept.
    named = {bytes.fromhex(sha256) async for page in rows.images() for sha256 in page}
    total, kept, orphans = len(named), 0, 0
    async for sha256, put_s in blobs.names():
        kept += 1
        if bytes.fromhex(sha256) in named:
            named.discard(bytes.fromhex(sha256))
        elif put_s < before_s:
            orphans += 1
        progress("looking for images", kept, max(total, kept))
    return sorted(sha256.hex() for sha256 in named), kept, orphans


def _span(us: int) -> str:
    seconds = us // 1_000_000
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} seconds"
