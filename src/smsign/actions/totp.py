"""The second factor: TOTP codes (RFC 6238) and recovery codes."""

from __future__ import annotations

import base64
import hmac
import secrets

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from smsign.actions.passwords import token_hash
from smsign.domain.accounts import Account
from smsign.domain.events import Kind, Subject
from smsign.domain.replay import fingerprint
from smsign.errors import InvalidInput
from smsign.storage.engine.protocol import Database, Tx
from smsign.storage.rows import accounts as rows
from smsign.storage.rows import events
from smsign.storage.vault import Vault

STEP_S = 30
DIGITS = 6
RECOVERY_CODES = 10


def make_secret() -> str:
    """Return a new secret: 20 bytes in base32, as authenticator apps take it."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def make_uri(secret: str, *, name: str) -> str:
    """Return the provisioning URI for the QR code."""
    return _totp(secret).get_provisioning_uri(name, "smsign")


async def turn_on(
    db: Database, vault: Vault, *, account: Account, secret: str, code: str, now: int
) -> list[str]:
    """Require TOTP codes of `secret` from now on; return the single-use recovery codes.

    Raises: InvalidInput if `code` is not a code of `secret`.
    """
    if _find_step(secret, code, now) is None:
        raise InvalidInput(
            "code: not the current code; check the clock of your phone",
            "验证码不正确，请检查手机时间",
        )
    codes = [f"{secrets.token_hex(3)}-{secrets.token_hex(3)}" for _ in range(RECOVERY_CODES)]

    async def change(tx: Tx) -> None:
        sealed = vault.seal(secret, app_key=account.name)
        await rows.update_totp(tx, account.id, sealed)
        for recovery in codes:
            await rows.insert_recovery(tx, account.id, token_hash(recovery))
        await _record(tx, account, {"on": True, "secret": fingerprint(sealed)}, now=now)

    await db.write(change)
    return codes


async def turn_off(db: Database, *, account: Account, actor: str, now: int) -> None:
    """Require the password only."""

    async def change(tx: Tx) -> None:
        await rows.update_totp(tx, account.id, None)
        await _record(tx, account, {"on": False}, now=now, actor=actor)

    await db.write(change)


async def check(db: Database, vault: Vault, *, account: Account, code: str, now: int) -> bool:
    """Return whether `code` is the current code or a recovery code; each is valid once."""
    found = await rows.find_totp(db.read, account.id)
    if found is None:
        return False
    step = _find_step(vault.unseal(found[0], app_key=account.name), code, now)

    async def change(tx: Tx) -> bool:
        if step is not None:
            return await rows.use_totp(tx, account.id, step)
        return await rows.use_recovery(tx, account.id, token_hash(code.strip().lower()))

    return await db.write(change)


def _totp(secret: str) -> TOTP:
    return TOTP(base64.b32decode(secret), DIGITS, SHA1(), STEP_S)  # noqa: S303


def _find_step(secret: str, code: str, now: int) -> int | None:
    """Return the time step of `code`: the current one or, for clock skew, one next to it; or None."""
    given = code.replace(" ", "").encode("utf-8", "replace")
    at = now // 1_000_000
    totp = _totp(secret)
    steps = (at // STEP_S + off for off in (0, -1, 1))
    return next((step for step in steps if hmac.compare_digest(totp.generate(step * STEP_S), given)), None)


async def _record(tx: Tx, account: Account, data: dict[str, object], *, now: int, actor: str = "") -> None:
    actor = actor or account.actor
    await events.append(tx, Subject.ACCOUNT, account.id, Kind.TOTP_CHANGED, actor=actor, now=now, data=data)
