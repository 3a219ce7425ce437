"""Bring a backup back, into an empty database of either engine, and prove that it is whole."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from smsign.actions import blobs as blob_actions
from smsign.actions.backup import summarise
from smsign.actions.blobs import Carried
from smsign.actions.copy import Copied, Progress, copy
from smsign.actions.events import Verdict, verify
from smsign.errors import SetupError, StorageError
from smsign.storage.archive.format import KEY, Archive, Manifest
from smsign.storage.blobs.store import Blobs
from smsign.storage.engine.migrate import migrate, migrations
from smsign.storage.open import open_database, open_source
from smsign.storage.vault import fingerprint, read_key, write_key


class Restored(msgspec.Struct, frozen=True):
    """What was brought back, and what the walk over its ledger found."""

    manifest: Manifest
    copied: Copied
    carried: Carried
    verdict: Verdict


async def restore(
    archive: Archive, url: str, blobs: Blobs, progress: Progress, *, key: str, key_file: Path, work: Path
) -> Restored:
    """Put everything in place: the key, the images, the rows. Interrupted, it may be called again.

    `key` is the one in the settings, if any; `work` a folder for the backup's database meanwhile.

    Raises: SetupError when the target is not empty or has another key, StorageError when the backup is
    damaged.
    """
    manifest = archive.manifest()
    if manifest.schema > max(migrations()):
        raise SetupError(f"backup: its schema is number {manifest.schema}; upgrade smsign")
    progress("checking the backup", 0, 0)
    file = work / "backup.db"
    await asyncio.to_thread(archive.extract, manifest.database, file)
    await _check(manifest, file)
    new_key = _choose_key(archive, manifest, key, key_file, work)
    carried: Carried | None = None

    async def carry() -> None:
        nonlocal carried
        if new_key:
            write_key(key_file, new_key)
        carried = await blob_actions.carry(
            rows.images(),
            archive.get,
            lambda sha256, data: blob_actions.put(blobs, sha256, data),
            await blob_actions.list_kept(blobs),
            lambda done: progress("restoring images", done, manifest.image_count),
        )

    rows = await open_source(f"sqlite:{file}")
    try:
        copied = await copy(rows, url, progress, first=carry)
    finally:
        await rows.close()
    assert carried is not None, "the copy called for the images first"
    return Restored(manifest, copied, carried, await _prove(url, progress))


async def _check(manifest: Manifest, file: Path) -> None:
    """See that the database is the one that the manifest describes; then bring its schema up to date."""
    rows = await open_source(f"sqlite:{file}")
    try:
        held = await summarise(rows)
    finally:
        await rows.close()
    told = (manifest.tables, manifest.chains, manifest.images)
    if told != (held.tables, held.chains, held.images):
        raise StorageError("backup: its database is not the one that its manifest describes")
    db = await open_database(f"sqlite:{file}", pool_size=1)
    try:
        await migrate(db)
    finally:
        await db.close()


def _choose_key(archive: Archive, manifest: Manifest, key: str, key_file: Path, work: Path) -> str | None:
    """Return the key to put in place, None if the right one is there already."""
    there = read_key(key, key_file)
    if there and manifest.key_fingerprint not in (None, fingerprint(there)):
        raise SetupError("secret key: the one in place is not the backup's; name another data folder")
    if there:
        return None
    if manifest.key is None:
        raise SetupError(
            "secret key: it was left out of this backup; put it in place"
            " (DATA/secret.key or SMSIGN_SECRET_KEY)"
        )
    archive.extract(manifest.key, work / KEY)
    return read_key("", work / KEY)


async def _prove(url: str, progress: Progress) -> Verdict:
    db = await open_database(url, pool_size=2)
    try:
        return await verify(db, lambda walked: progress("walking the ledger", walked, 0))
    finally:
        await db.close()
