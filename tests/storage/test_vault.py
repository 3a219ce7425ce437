"""The secret key: the database opens with its key only; secrets are sealed under it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from smsign import config
from smsign.config import Settings
from smsign.errors import SetupError
from smsign.storage.open import Stores, open_stores
from smsign.storage.vault import Vault


async def test_a_database_of_another_key_is_not_opened(stores: Stores, settings: Settings) -> None:
    with pytest.raises(SetupError, match=r"another one; .*SMSIGN_SECRET_KEY\b"):
        await open_stores(msgspec.structs.replace(settings, secret_key="cd" * 32))


def test_a_key_file_readable_by_others_is_an_error(tmp_path: Path) -> None:
    key = tmp_path / "secret.key"
    key.write_text("ab" * 32)
    key.chmod(0o644)
    with pytest.raises(SetupError, match="chmod 600"):
        asyncio.run(open_stores(config.load({"data": str(tmp_path)}, {})))


async def test_a_missing_key_of_an_existing_database_is_not_created_anew(
    stores: Stores, settings: Settings
) -> None:
    key = settings.key_file.read_text()
    settings.key_file.unlink()
    with pytest.raises(SetupError, match=r"secret\.key does not exist, .* restore it"):
        await open_stores(settings)
    assert not settings.key_file.exists(), "a new one would be the wrong one"
    await (await open_stores(msgspec.structs.replace(settings, secret_key=key.strip()))).close()


def test_an_invalid_key_file_is_named(tmp_path: Path) -> None:
    key, settings = tmp_path / "secret.key", config.load({"data": str(tmp_path)}, {})
    key.write_bytes(b"\xff" * 65)
    key.chmod(0o600)
    with pytest.raises(SetupError, match=r"secret\.key must be 64 hex digits"):
        asyncio.run(open_stores(settings))
    key.unlink()
    key.mkdir(0o700)
    with pytest.raises(SetupError, match=r"secret\.key: Is a directory"):
        asyncio.run(open_stores(settings))


def test_a_sealed_secret_is_unsealed_only_for_its_application_and_with_its_key() -> None:
    vault = Vault(b"k" * 32)
    sealed = vault.seal("secret", app_key="a" * 24)
    assert vault.unseal(sealed, app_key="a" * 24) == "secret"
    assert b"secret" not in sealed
    for other, key in ((vault, "b" * 24), (Vault(b"j" * 32), "a" * 24)):
        with pytest.raises(SetupError):
            other.unseal(sealed, app_key=key)
    assert vault.matches("secret", [Vault(b"j" * 32).mac("secret"), vault.mac("secret")])
    assert not vault.matches("Secret", [vault.mac("secret")])
