"""Encryption of masterSecrets and other secrets at rest, and the key for it.

A masterSecret is stored twice: as a MAC for authenticating requests, and encrypted ("sealed") for showing it
to its owner (contract, HTTP Authentication: it "can be viewed in the application settings").
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from smsign.errors import SetupError
from smsign.storage.files import sync_folder

KEY_BYTES = 32
CACHED_MACS = 4096
_NONCE_BYTES = 12


class Vault:
    """Authenticates and encrypts secrets with keys derived from one 32-byte key."""

    def __init__(self, key: bytes) -> None:
        self._mac_key = hmac.digest(key, b"smsign secret mac", "sha256")
        self._seal_key = hmac.digest(key, b"smsign secret seal", "sha256")
        self.ledger_key = hmac.digest(key, b"smsign ledger", "sha256")
        """The key of the MACs of the audit log."""
        self.fingerprint = hmac.digest(key, b"smsign key fingerprint", "sha256").hex()[:16]
        """Identifies the key without disclosing it."""
        self.mac = lru_cache(maxsize=CACHED_MACS)(self._mac)
        """Returns the HMAC-SHA-256 of a secret; cached, since few secrets are used most of the time."""

    def _mac(self, secret: str) -> bytes:
        return hmac.digest(self._mac_key, secret.encode("utf-8", "surrogateescape"), "sha256")

    def matches(self, secret: str, macs: Iterable[bytes]) -> bool:
        """Return whether one of `macs` is the MAC of `secret`, in constant time."""
        computed = self.mac(secret)
        found = False
        for mac in macs:
            found |= hmac.compare_digest(computed, mac)
        return found

    def seal(self, secret: str, *, app_key: str) -> bytes:
        """Encrypt `secret` with AES-GCM, bound to `app_key`: in another row it cannot be decrypted."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self._seal_key).encrypt(nonce, secret.encode(), app_key.encode())

    def unseal(self, sealed: bytes, *, app_key: str) -> str:
        """Decrypt a sealed secret.

        Raises: SetupError when it was sealed with another key or for another application.
        """
        try:
            nonce, box = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            return AESGCM(self._seal_key).decrypt(nonce, box, app_key.encode()).decode()
        except InvalidTag as error:
            raise SetupError(
                "secret key: this secret was encrypted with another one", "密钥：此数据由另一密钥加密"
            ) from error


def open_vault(setting: str, file: Path) -> Vault:
    """Return the vault for the key in `setting` (64 hex digits), or else in `file`, created if missing.

    Raises: SetupError when the key is malformed, or its file cannot be read or is open to other users.
    """
    if setting:
        return Vault(_parse(setting, "secret key: the setting"))
    with _naming(file):
        if not file.exists():
            _create(file, secrets.token_hex(KEY_BYTES))
        if file.stat().st_mode & 0o077:
            raise SetupError(
                f"secret key: {file} can be read by other users; run: chmod 600 {file}",
                f"密钥：其他用户可以读取 {file}；请运行 chmod 600 {file}",
            )
        return Vault(_parse(file.read_text("latin-1").strip(), f"secret key: {file}"))


def read_key(setting: str, file: Path) -> str | None:
    """Return the key in `setting`, or else in `file`, as 64 hex digits; None if there is no such file.

    Raises: SetupError when it is malformed or cannot be read.
    """
    if setting:
        return _parse(setting, "secret key: the setting").hex()
    with _naming(file):
        if not file.exists():
            return None
        return _parse(file.read_text("latin-1").strip(), f"secret key: {file}").hex()


def fingerprint(key: str) -> str:
    """Return the fingerprint of a key, as stored in the database."""
    return Vault(bytes.fromhex(key)).fingerprint


def write_key(file: Path, key: str) -> None:
    """Write the file of a restored key; an existing file is not changed."""
    with _naming(file):
        _create(file, key)


@contextmanager
def _naming(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SetupError(
            f"secret key: {file}: {error.strerror}", f"密钥：{file}：{error.strerror}"
        ) from error


def _parse(text: str, where: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SetupError(
            f"{where} must be {2 * KEY_BYTES} hex digits; create one with: openssl rand -hex 32",
            f"{where}：须为 {2 * KEY_BYTES} 个十六进制字符；可用 openssl rand -hex 32 生成",
        )
    return key


def _create(file: Path, key: str) -> None:
    # Two processes may start at once: link() is atomic, so both use the key of the first.
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, key.encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        with suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(file.parent)
