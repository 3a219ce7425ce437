"""Restore a backup into an empty database of either engine, and verify it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from smsign.actions.ledger import Verdict, verify
from smsign.actions.transfer.backup import summarise
from smsign.actions.transfer.blobs import CopiedBlobs, copy_blobs, list_hashes, put_bytes
from smsign.actions.transfer.copy import Copied, Progress, copy
from smsign.errors import SetupError, StorageError
from smsign.storage.archive.format import KEY, Archive, Manifest
from smsign.storage.blobs.store import Blobs
from smsign.storage.engine.migrate import migrate, migrations
from smsign.storage.open import open_database, open_source
from smsign.storage.vault import fingerprint, read_key, write_key


class Restored(msgspec.Struct, frozen=True):
    """What was restored, and the result of verifying the hash chains."""

    manifest: Manifest
    copied: Copied
    blobs: CopiedBlobs
    verdict: Verdict


async def restore(
    archive: Archive, url: str, blobs: Blobs, progress: Progress, *, key: str, key_file: Path, work: Path
) -> Restored:
    """Restore the secret key, the blobs and the rows; after an interruption, call it again to resume.

    `key` is the one in the settings, if any; `work` is a folder for temporary files.

    Raises: SetupError if the target is not empty or has another key, StorageError if the backup is damaged.
    """
    manifest = archive.manifest()
    if manifest.schema > max(migrations()):
        raise SetupError(
            f"backup: its schema {manifest.schema} is of a newer smsign; upgrade smsign",
            f"备份：表结构版本 {manifest.schema} 来自更新的 smsign；请升级 smsign",
        )
    progress("checking the backup", 0, 0)
    file = work / "backup.db"
    await asyncio.to_thread(archive.extract, manifest.database, file)
    await _check(manifest, file)
    new_key = _choose_key(archive, manifest, key, key_file, work)
    copied_blobs: CopiedBlobs | None = None

    async def restore_blobs() -> None:
        nonlocal copied_blobs
        if new_key:
            write_key(key_file, new_key)
        copied_blobs = await copy_blobs(
            rows.images(),
            archive.get,
            lambda sha256, data: put_bytes(blobs, sha256, data),
            await list_hashes(blobs),
            lambda done: progress("restoring images", done, manifest.image_count),
        )

    rows = await open_source(f"sqlite:{file}")
    try:
        copied = await copy(rows, url, progress, first=restore_blobs)
    finally:
        await rows.close()
    assert copied_blobs is not None, "copy() has called restore_blobs()"
    return Restored(manifest, copied, copied_blobs, await _verify(url, progress))


async def _check(manifest: Manifest, file: Path) -> None:
    """Check that the database matches the manifest; then migrate it."""
    rows = await open_source(f"sqlite:{file}")
    try:
        summary = await summarise(rows)
    finally:
        await rows.close()
    expected = (manifest.tables, manifest.chains, manifest.images)
    if expected != (summary.tables, summary.chains, summary.images):
        raise StorageError("backup: its database does not match its manifest", "备份：数据库与清单不符")
    db = await open_database(f"sqlite:{file}", pool_size=1)
    try:
        await migrate(db)
    finally:
        await db.close()


def _choose_key(archive: Archive, manifest: Manifest, key: str, key_file: Path, work: Path) -> str | None:
    """Return the key to write, None if the right one exists already."""
    existing = read_key(key, key_file)
    if existing and manifest.key_fingerprint not in (None, fingerprint(existing)):
        raise SetupError(
            "secret key: the existing one is not the backup's; use another data folder",
            "密钥：现有的密钥不是该备份的密钥；请使用其他数据目录",
        )
    if existing:
        return None
    if manifest.key is None:
        raise SetupError(
            "secret key: this backup does not contain it; provide it in DATA/secret.key or SMSIGN_SECRET_KEY",
            "密钥：该备份不含密钥；请放入 DATA/secret.key 或设置 SMSIGN_SECRET_KEY",
        )
    archive.extract(manifest.key, work / KEY)
    return read_key("", work / KEY)


async def _verify(url: str, progress: Progress) -> Verdict:
    db = await open_database(url, pool_size=2)
    try:
        return await verify(db, lambda walked: progress("verifying the ledger", walked, 0))
    finally:
        await db.close()
