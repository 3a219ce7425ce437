"""Open what a URL names: a database, a blob store, a backup; and all that a server needs, together.

This is the only file that knows every engine. A driver is imported when a URL asks for it.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from smsign.config import Settings
from smsign.errors import SetupError
from smsign.storage.archive.format import Archive
from smsign.storage.blobs.store import Blobs
from smsign.storage.engine.bulk import UNFINISHED, Bulk
from smsign.storage.engine.migrate import get_meta, migrate, put_meta
from smsign.storage.engine.protocol import Database, Tx
from smsign.storage.vault import Vault, open_vault, read_key

_THROWAWAY = "?durable=no"
_PACKED = (".gz", ".tgz", ".bz2", ".tbz", ".xz", ".txz", ".zst", ".zip", ".7z")

KEY_FINGERPRINT = "key_fingerprint"
"""What `meta` bears the fingerprint of its key under."""


class Stores(msgspec.Struct, frozen=True):
    """Where everything is."""

    db: Database
    blobs: Blobs
    vault: Vault

    async def close(self) -> None:
        """Let go of the database."""
        await self.db.close()


async def open_stores(settings: Settings) -> Stores:
    """Open what `settings` name, bring the schema up to date, and see that the key is the right one.

    Raises: SetupError, StorageError.
    """
    try:
        settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"data: {settings.folder}: {error.strerror}") from error
    blobs = open_blobs(settings.blobs_url, data=settings.folder)
    db = await open_database(settings.database_url, pool_size=settings.database_pool)
    try:
        await migrate(db)
        await _check_finished(db)
        vault = await _open_vault(db, settings)
        await _check_key(db, vault)
    except BaseException:
        await db.close()
        raise
    return Stores(db, blobs, vault)


def sqlite_path(url: str) -> Path | None:
    """Return the file of a `sqlite:` URL, None for a PostgreSQL server.

    Raises: SetupError for another scheme.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite" and rest:
        return Path(rest.removesuffix(_THROWAWAY))
    if scheme in ("postgresql", "postgres"):
        return None
    raise SetupError(
        f"database: {scheme}: is not known; use sqlite:PATH or postgresql://USER:PASSWORD@HOST/NAME"
    )


async def open_database(url: str, *, pool_size: int) -> Database:
    """Open the database that `url` names: `sqlite:PATH` or `postgresql://…`.

    `sqlite:PATH?durable=no` never waits for the disk: for data that may be lost.

    Raises: SetupError for another scheme, StorageError when it cannot be opened.
    """
    if path := sqlite_path(url):
        from smsign.storage.engine.sqlite import SqliteDatabase

        return SqliteDatabase(path, durable=not url.endswith(_THROWAWAY))
    from smsign.storage.engine.postgres import PostgresDatabase

    return await PostgresDatabase.open(url, pool_size=pool_size)


async def open_source(url: str) -> Bulk:
    """Open a database to read a snapshot of it, whatever is written to it meanwhile.

    Raises: SetupError when there is none, StorageError.
    """
    if (path := sqlite_path(url)) and not path.exists():
        raise SetupError(f"database: {path} does not exist")
    return await _open_bulk(url, snapshot=True)


async def open_target(url: str) -> Bulk:
    """Open a database to write to it; SQLite's file is made if it is not there.

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
    """Open the blob store that `url` names: `file:PATH` or `s3://BUCKET/PREFIX`.

    Raises: SetupError, StorageError.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "file" and rest:
        from smsign.storage.blobs.folder import FolderBlobs

        return FolderBlobs(Path(rest.removeprefix("//")))
    if scheme == "s3" and rest.strip("/"):
        from smsign.storage.blobs.s3 import S3Blobs

        return S3Blobs(url, spool=data / "incoming")
    raise SetupError(f"blobs: {scheme}: is not known; use file:PATH or s3://BUCKET/PREFIX")


def open_archive(path: Path, *, write: bool) -> Archive:
    """Open the tar file or the folder `path` as a backup; a name that ends in .tar is a file.

    Raises: SetupError when something else is there, or nothing to read.
    """
    from smsign.storage.archive.folder import FolderArchive
    from smsign.storage.archive.tar import TarArchive, TarError

    if write and path.suffix in _PACKED and not path.is_dir():
        raise SetupError(
            f"backup: {path}: a backup is a folder or an uncompressed file that ends in .tar, since images"
            " do not compress; name one of these"
        )
    try:
        return TarArchive(path, write=write) if path.suffix == ".tar" else FolderArchive(path, write=write)
    except (OSError, TarError) as error:
        raise SetupError(f"backup: {path}: {error}") from error


async def _check_finished(db: Database) -> None:
    if await get_meta(db.read, UNFINISHED) is not None:
        raise SetupError(
            "database: a copy into it is not finished; give the same command again, which goes on with it"
        )


async def _open_vault(db: Database, settings: Settings) -> Vault:
    # Only a new database gets a new key: beside any other it would be the wrong one.
    if await get_meta(db.read, KEY_FINGERPRINT) and not read_key(settings.secret_key, settings.key_file):
        raise SetupError(
            f"secret key: {settings.key_file} does not exist, and this database was made with one;"
            " bring it back from a backup, or set SMSIGN_SECRET_KEY"
        )
    return open_vault(settings.secret_key, settings.key_file)


async def _check_key(db: Database, vault: Vault) -> None:
    known = await get_meta(db.read, KEY_FINGERPRINT)
    if known is None:

        async def change(tx: Tx) -> None:
            if await get_meta(tx, KEY_FINGERPRINT) is None:
                await put_meta(tx, KEY_FINGERPRINT, vault.fingerprint)

        await db.write(change)
        known = await get_meta(db.read, KEY_FINGERPRINT)
    if known != vault.fingerprint:
        raise SetupError(
            "secret key: this database was made with another one; put that key in place"
            " (DATA/secret.key or SMSIGN_SECRET_KEY)"
        )
