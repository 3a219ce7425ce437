"""Make a backup while the server runs.

First the database as it is at one moment, then the images that its rows name. No row is ever removed and no
image that a row names is ever swept, so each of them is still there when its turn comes.
"""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime

import msgspec

from smsign import __version__
from smsign.actions import blobs as blob_actions
from smsign.actions.blobs import Carried
from smsign.actions.copy import Progress, copy
from smsign.errors import SetupError
from smsign.storage.archive.format import FORMAT, KEY, Archive, Manifest, Part, describe
from smsign.storage.blobs.store import Blobs
from smsign.storage.engine.bulk import META, UNFINISHED, Bulk
from smsign.storage.engine.bulk_sqlite import finalize, vacuum_into
from smsign.storage.engine.migrate import SCHEMA
from smsign.storage.open import KEY_FINGERPRINT, open_source, sqlite_path
from smsign.storage.vault import fingerprint


class Summary(msgspec.Struct, frozen=True):
    """What a database holds: rows by table, and digests over the ends of its chains and over its images."""

    tables: dict[str, int]
    chains: str
    images: str
    image_count: int


async def backup(
    url: str, blobs: Blobs, archive: Archive, progress: Progress, *, key: str | None, now: int
) -> tuple[Manifest, Carried]:
    """Back up the database `url` and its images, and the key unless it is None.

    Raises: SetupError when the database is an unfinished copy or `key` is not its own; StorageError.
    """
    made_at = datetime.fromtimestamp(now / 1e6, UTC)
    await _examine(url, key)
    progress("reading the database", 0, 0)
    file = archive.work / f"smsign-{made_at:%Y%m%dT%H%M%S.%f}.db"
    if path := sqlite_path(url):
        await asyncio.to_thread(vacuum_into, path, file)
    else:
        await _export(url, f"sqlite:{file}", progress)
    await asyncio.to_thread(finalize, file)
    rows = await open_source(f"sqlite:{file}")
    try:
        about, held = await rows.meta(), await summarise(rows)
        carried = await blob_actions.carry(
            rows.images(),
            blobs.get,
            archive.put,
            await archive.stored(),
            lambda done: progress("keeping images", done, held.image_count),
        )
    finally:
        await rows.close()
    manifest = Manifest(
        format=FORMAT,
        smsign=__version__,
        made_at=made_at.isoformat().replace("+00:00", "Z"),
        engine=url.partition(":")[0],
        schema=int(about[SCHEMA]),
        tables=held.tables,
        chains=held.chains,
        images=held.images,
        image_count=held.image_count,
        lost=carried.lost,
        database=await asyncio.to_thread(describe, file.name, file),
        key=_part(key) if key else None,
        key_fingerprint=about.get(KEY_FINGERPRINT),
    )
    archive.finish(manifest, file, key.encode() + b"\n" if key else None)
    return manifest, carried


async def summarise(rows: Bulk) -> Summary:
    """Return what a manifest says of a database."""
    tables = {table.name: table for table in await rows.tables() if table.name != META}
    chains, images, count = hashlib.sha256(), hashlib.sha256(), 0
    async for page in rows.pages(tables["chain"]):
        for row in page:
            chains.update(msgspec.json.encode(row))
    async for names in rows.images():
        images.update("".join(names).encode())
        count += len(names)
    counts = {name: await rows.count(table) for name, table in tables.items()}
    return Summary(counts, chains.hexdigest(), images.hexdigest(), count)


async def _examine(url: str, key: str | None) -> None:
    rows = await open_source(url)
    try:
        about = await rows.meta()
    finally:
        await rows.close()
    if SCHEMA not in about:
        raise SetupError("database: this is not a database of smsign")
    if UNFINISHED in about:
        raise SetupError("database: it is an unfinished copy; finish that one first")
    if key and about.get(KEY_FINGERPRINT) not in (None, fingerprint(key)):
        raise SetupError("secret key: this database was made with another one; put that key in place")


async def _export(url: str, to: str, progress: Progress) -> None:
    rows = await open_source(url)
    try:
        await copy(rows, to, progress)
    finally:
        await rows.close()


def _part(key: str) -> Part:
    data = key.encode() + b"\n"
    return Part(KEY, len(data), hashlib.sha256(data).hexdigest())
