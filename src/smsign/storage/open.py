"""Read the URLs of the settings and open databases, blob stores and backups.

This is the only file that knows every engine. A driver is imported when a URL needs it.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from smsign.config import Settings
from smsign.errors import SetupError
from smsign.storage.archive.format import Archive
from smsign.storage.blobs.store import Blobs
from smsign.storage.engine.bulk import UNFINISHED, Bulk
from smsign.storage.engine.migrate import find_meta, migrate, put_meta
from smsign.storage.engine.protocol import Database, Tx
from smsign.storage.ledger.sealing import seal_ledger
from smsign.storage.vault import Vault, open_vault, read_key

_NOT_DURABLE = "?durable=no"
_COMPRESSED = (".gz", ".tgz", ".bz2", ".tbz", ".xz", ".txz", ".zst", ".zip", ".7z")

KEY_FINGERPRINT = "key_fingerprint"
"""The name in `meta` of the fingerprint of the key."""


class Stores(msgspec.Struct, frozen=True):
    """All stores of an installation."""

    db: Database
    blobs: Blobs
    vault: Vault

    async def close(self) -> None:
        """Close the database."""
        await self.db.close()


async def open_stores(settings: Settings) -> Stores:
    """Open the stores of `settings`, migrate the schema, and check that the key is the database's.

    Raises: SetupError, StorageError.
    """
    try:
        settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(
            f"data: {settings.folder}: {error.strerror}", f"data：{settings.folder}：{error.strerror}"
        ) from error
    blobs = open_blobs(settings.blobs_url, data=settings.folder)
    db = await open_database(settings.database_url, pool_size=settings.database_pool)
    try:
        await migrate(db)
        await _check_finished(db)
        vault = await _open_vault(db, settings)
        await _check_key(db, vault)
        db.ledger_key = vault.ledger_key
        await seal_ledger(db, now=time.time_ns() // 1000)
    except BaseException:
        await db.close()
        raise
    return Stores(db, blobs, vault)


def sqlite_path(url: str) -> Path | None:
    """Return the file of a `sqlite:` URL, None for a PostgreSQL server.

    Raises: SetupError for another scheme.
    """
    return _parse(url)[0]


def _parse(url: str) -> tuple[Path | None, bool]:
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite" and rest:
        path = rest.removesuffix(_NOT_DURABLE)
        return Path(path), path == rest
    if scheme in ("postgresql", "postgres"):
        return None, True
    raise SetupError(
        f"database: unknown scheme {scheme}:; use sqlite:PATH or postgresql://USER:PASSWORD@HOST/NAME",
        f"database：未知的协议 {scheme}:；请写 sqlite:PATH 或 postgresql://USER:PASSWORD@HOST/NAME",
    )


async def open_database(url: str, *, pool_size: int) -> Database:
    """Open the database at `url`: `sqlite:PATH` or `postgresql://…`.

    `sqlite:PATH?durable=no` never syncs to disk: for data that may be lost.

    Raises: SetupError for another scheme, StorageError when it cannot be opened.
    """
    path, durable = _parse(url)
    if path:
        from smsign.storage.engine.sqlite import SqliteDatabase

        return SqliteDatabase(path, durable=durable)
    from smsign.storage.engine.postgres import PostgresDatabase

    return await PostgresDatabase.open(url, pool_size=pool_size)


async def open_source(url: str) -> Bulk:
    """Open a database for bulk reads of one snapshot; other processes may write to it.

    Raises: SetupError when there is none, StorageError.
    """
    if (path := sqlite_path(url)) and not path.exists():
        raise SetupError(f"database: {path} does not exist", f"database：{path} 不存在")
    return await _open_bulk(url, snapshot=True)


async def open_target(url: str) -> Bulk:
    """Open a database for bulk writes; a SQLite file is created if it does not exist.

    Raises: SetupError, StorageError.
    """
    return await _open_bulk(url, snapshot=False)


async def _open_bulk(url: str, *, snapshot: bool) -> Bulk:
    if path := sqlite_path(url):
        from smsign.storage.engine.bulk_sqlite import SqliteBulk

        return SqliteBulk(path, snapshot=snapshot)
    from smsign.storage.engine.bulk_postgres import PostgresBulk

    return await PostgresBulk.open(url, snapshot=snapshot)


def open_blobs(url: str, *, data: Path) -> Blobs:
    """Open the blob store at `url`: `file:PATH` or `s3://BUCKET/PREFIX`.

    Raises: SetupError, StorageError.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "file" and rest:
        from smsign.storage.blobs.folder import FolderBlobs

        return FolderBlobs(Path(rest.removeprefix("//")))
    if scheme == "s3" and rest.strip("/"):
        from smsign.storage.blobs.s3 import S3Blobs

        return S3Blobs(url, spool=data / "incoming")
    raise SetupError(
        f"blobs: unknown scheme {scheme}:; use file:PATH or s3://BUCKET/PREFIX",
        f"blobs：未知的协议 {scheme}:；请写 file:PATH 或 s3://BUCKET/PREFIX",
    )


def open_archive(path: Path, *, write: bool) -> Archive:
    """Open a backup: a tar file if `path` ends in .tar, else a folder.

    Raises: SetupError when there is something else at `path`, or nothing to read.
    """
    from smsign.storage.archive.folder import FolderArchive
    from smsign.storage.archive.tar import TarArchive, TarError

    if write and path.suffix in _COMPRESSED and not path.is_dir():
        raise SetupError(
            f"backup: {path}: name a folder or an uncompressed .tar file; images do not compress",
            f"备份：{path}：请写目录或不压缩的 .tar 文件；图片无法再压缩",
        )
    try:
        return TarArchive(path, write=write) if path.suffix == ".tar" else FolderArchive(path, write=write)
    except (OSError, TarError) as error:
        raise SetupError(f"backup: {path}: {error}", f"备份：{path}：{error}") from error


async def _check_finished(db: Database) -> None:
    if await find_meta(db.read, UNFINISHED) is not None:
        raise SetupError(
            "database: a copy into it is not finished; run the same command again to resume it",
            "database：向其中的复制尚未完成；请再次运行同一命令以继续",
        )


async def _open_vault(db: Database, settings: Settings) -> Vault:
    # Only a new database gets a new key: for any other it would be the wrong one.
    if await find_meta(db.read, KEY_FINGERPRINT) and not read_key(settings.secret_key, settings.key_file):
        raise SetupError(
            f"secret key: {settings.key_file} does not exist, and this database was created with one;"
            " restore it from a backup, or set SMSIGN_SECRET_KEY",
            f"密钥：{settings.key_file} 不存在，而此数据库已有密钥；请从备份恢复，或设置 SMSIGN_SECRET_KEY",
        )
    return open_vault(settings.secret_key, settings.key_file)


async def _check_key(db: Database, vault: Vault) -> None:
    known = await find_meta(db.read, KEY_FINGERPRINT)
    if known is None:

        async def change(tx: Tx) -> None:
            if await find_meta(tx, KEY_FINGERPRINT) is None:
                await put_meta(tx, KEY_FINGERPRINT, vault.fingerprint)

        await db.write(change)
        known = await find_meta(db.read, KEY_FINGERPRINT)
    if known != vault.fingerprint:
        raise SetupError(
            "secret key: this database was created with another one; put that key in place"
            " (DATA/secret.key or SMSIGN_SECRET_KEY)",
            "密钥：此数据库创建时使用了另一密钥；请放回该密钥（DATA/secret.key 或 SMSIGN_SECRET_KEY）",
        )
