"""The second factor: TOTP codes (RFC 6238) and recovery codes."""

from __future__ import annotations

import base64
import hmac
import secrets

import msgspec
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from smsign.actions.passwords import token_hash
from smsign.domain.accounts import Account, wait_after
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


def find_step(secret: str, code: str, now: int) -> int:
    """Return the time step of a code of `secret`.

    Raises: InvalidInput if it is not the current code, or one next to it.
    """
    step = _find_step(secret, code, now)
    if step is None:
        raise InvalidInput(
            "code: not the current code; check the clock of your phone",
            "验证码不正确，请检查手机时间",
        )
    return step


async def turn_on(
    db: Database, vault: Vault, *, account: Account, secret: str, code: str, now: int
) -> list[str]:
    """Require TOTP codes of `secret` from now on; return the single-use recovery codes.

    Raises: InvalidInput if `code` is not a code of `secret`.
    """
    step = find_step(secret, code, now)
    codes = [f"{secrets.token_hex(3)}-{secrets.token_hex(3)}" for _ in range(RECOVERY_CODES)]

    async def change(tx: Tx) -> None:
        sealed = vault.seal(secret, app_key=account.name)
        await rows.lock(tx, account.id)
        await rows.update_totp(tx, account.id, sealed)
        await rows.use_totp(tx, account.id, step)  # this code does not sign in, too
        for recovery in codes:
            await rows.insert_recovery(tx, account.id, token_hash(recovery))
        await _record(tx, account, {"on": True, "secret": fingerprint(sealed)}, now=now)

    await db.write(change)
    return codes


async def turn_off(db: Database, *, account: Account, actor: str, now: int) -> None:
    """Require the password only."""

    async def change(tx: Tx) -> None:
        await rows.lock(tx, account.id)
        await rows.update_totp(tx, account.id, None)
        await _record(tx, account, {"on": False}, now=now, actor=actor)

    await db.write(change)


class CodeCheck(msgspec.Struct, frozen=True):
    """The result of a check; with `wait_s` the code was not looked at; `failures` counts wrong ones."""

    correct: bool
    failures: int = 0
    wait_s: int = 0


async def check(db: Database, vault: Vault, *, account: Account, code: str, now: int) -> CodeCheck:
    """Check a code, or a recovery code; each is valid once.

    Wrong ones are counted for the account, whatever addresses they come from, with waits that grow.
    """

    async def change(tx: Tx) -> CodeCheck:
        await rows.lock(tx, account.id)
        factor = await rows.find_totp(tx, account.id)
        if factor is None:
            return CodeCheck(correct=False)
        if factor.wait_until > now:
            wait_s = -((now - factor.wait_until) // 1_000_000)
            return CodeCheck(correct=False, failures=factor.failures, wait_s=wait_s)
        step = _find_step(vault.unseal(factor.sealed, app_key=account.name), code, now)
        if step is not None and await rows.use_totp(tx, account.id, step):
            await rows.update_code_failures(tx, account.id, 0, wait_until=0)
            return CodeCheck(correct=True)
        if step is None and await rows.use_recovery(tx, account.id, token_hash(code.strip().lower())):
            await rows.update_code_failures(tx, account.id, 0, wait_until=0)
            await _append(tx, account, Kind.RECOVERY_USED, {}, now=now)
            return CodeCheck(correct=True)
        failures = factor.failures + 1
        wait_until = now + wait_after(failures) * 1_000_000
        await rows.update_code_failures(tx, account.id, failures, wait_until=wait_until)
        await _append(tx, account, Kind.CODE_FAILED, {"failures": failures}, now=now)
        return CodeCheck(correct=False, failures=failures)

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
    await _append(tx, account, Kind.TOTP_CHANGED, data, now=now, actor=actor)


async def _append(
    tx: Tx, account: Account, kind: Kind, data: dict[str, object], *, now: int, actor: str = ""
) -> None:
    actor = actor or account.actor
    await events.append(tx, Subject.ACCOUNT, account.id, kind, actor=actor, now=now, data=data)
