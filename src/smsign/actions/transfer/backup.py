"""Make a backup while the server runs.

First a snapshot of the database, then the blobs that its rows reference. Rows are never removed and
referenced blobs are never garbage-collected, so each of them still exists when it is copied.
"""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime

import msgspec

from smsign import __version__
from smsign.actions.transfer.blobs import CopiedBlobs, copy_blobs
from smsign.actions.transfer.copy import Progress, copy
from smsign.errors import SetupError
from smsign.storage.archive.format import FORMAT, KEY, Archive, Manifest, Part, describe
from smsign.storage.blobs.store import Blobs
from smsign.storage.engine.bulk import META, UNFINISHED, Bulk
from smsign.storage.engine.bulk_sqlite import finalize, vacuum_into
from smsign.storage.engine.migrate import SCHEMA
from smsign.storage.open import KEY_FINGERPRINT, open_source, sqlite_path
from smsign.storage.vault import fingerprint


class Summary(msgspec.Struct, frozen=True):
    """Row counts by table, and digests over the heads of the hash chains and over the images."""

    tables: dict[str, int]
    chains: str
    images: str
    image_count: int


async def backup(
    url: str, blobs: Blobs, archive: Archive, progress: Progress, *, key: str | None, now: int
) -> tuple[Manifest, CopiedBlobs]:
    """Back up the database `url`, its blobs, and the secret key unless it is None.

    Raises: SetupError if the database is an unfinished copy or has another key; StorageError.
    """
    made_at = datetime.fromtimestamp(now / 1e6, UTC)
    await _check(url, key)
    progress("reading the database", 0, 0)
    file = archive.work / f"smsign-{made_at:%Y%m%dT%H%M%S.%f}.db"
    if path := sqlite_path(url):
        await asyncio.to_thread(vacuum_into, path, file)
    else:
        await _export(url, f"sqlite:{file}", progress)
    await asyncio.to_thread(finalize, file)
    rows = await open_source(f"sqlite:{file}")
    try:
        meta, summary = await rows.meta(), await summarise(rows)
        copied = await copy_blobs(
            rows.images(),
            blobs.get,
            archive.put,
            await archive.stored(),
            lambda done: progress("copying images", done, summary.image_count),
        )
    finally:
        await rows.close()
    manifest = Manifest(
        format=FORMAT,
        smsign=__version__,
        made_at=made_at.isoformat().replace("+00:00", "Z"),
        engine=url.partition(":")[0],
        schema=int(meta[SCHEMA]),
        tables=summary.tables,
        chains=summary.chains,
        images=summary.images,
        image_count=summary.image_count,
        lost=copied.lost,
        database=await asyncio.to_thread(describe, file.name, file),
        key=_part(key) if key else None,
        key_fingerprint=meta.get(KEY_FINGERPRINT),
    )
    archive.finish(manifest, file, key.encode() + b"\n" if key else None)
    return manifest, copied


async def summarise(rows: Bulk) -> Summary:
    """Return the summary of a database for a manifest."""
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


async def _check(url: str, key: str | None) -> None:
    rows = await open_source(url)
    try:
        meta = await rows.meta()
    finally:
        await rows.close()
    if SCHEMA not in meta:
        raise SetupError("database: this is not a database of smsign", "database：不是 smsign 的数据库")
    if UNFINISHED in meta:
        raise SetupError(
            "database: it is an unfinished copy; finish that one first",
            "database：是未完成的复制；请先完成该复制",
        )
    if key and meta.get(KEY_FINGERPRINT) not in (None, fingerprint(key)):
        raise SetupError(
            "secret key: this database belongs to another key; use that one",
            "密钥：此数据库属于另一密钥；请使用该密钥",
        )


async def _export(url: str, to: str, progress: Progress) -> None:
    rows = await open_source(url)
    try:
        await copy(rows, to, progress)
    finally:
        await rows.close()


def _part(key: str) -> Part:
    data = key.encode() + b"\n"
    return Part(KEY, len(data), hashlib.sha256(data).hexdigest())
