"""All that is kept, opened together: the database at the current schema, the pictures, the vault."""

from __future__ import annotations

import msgspec

from smsign.config import Settings
from smsign.errors import SetupError
from smsign.storage.blobs import Blobs, open_blobs
from smsign.storage.bulk import UNFINISHED
from smsign.storage.db import Database, Tx, open_database
from smsign.storage.migrate import get_meta, migrate, put_meta
from smsign.storage.vault import Vault, open_vault, read_key

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
