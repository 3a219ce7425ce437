"""Sign people in and out: sessions, idle timeout, session lifetime."""

from __future__ import annotations

import secrets

from smsign.actions import passwords
from smsign.actions.passwords import token_hash
from smsign.domain.accounts import Account, Session
from smsign.storage.engine.protocol import Database, Tx
from smsign.storage.rows import accounts as rows
from smsign.storage.rows import leases

_S = 1_000_000
IDLE_US = 12 * 3600 * _S
LIFETIME_US = 7 * 86_400 * _S
SEEN_EVERY_US = 60 * _S


async def authenticate(db: Database, *, name: str, password: str) -> Account | None:
    """Return the account if it is enabled and the password is correct, else None after the same time."""
    account = await rows.find(db.read, name)
    correct = await passwords.is_correct(account, password)
    return account if correct and account and account.enabled else None


async def sign_in(db: Database, *, account: Account, address: str, agent: str, now: int) -> str:
    """Start a session; return its token, which only the person's browser stores."""
    token = secrets.token_urlsafe(32)

    async def change(tx: Tx) -> None:
        await rows.delete_old_sessions(tx, seen_before=now - IDLE_US, made_before=now - LIFETIME_US)
        await rows.insert_session(
            tx, token_hash(token), account.id, address=address, agent=agent[:200], now=now
        )

    await db.write(change)
    return token


async def find(db: Database, token: str, *, now: int) -> tuple[Account, Session] | None:
    """Return the session and its account, or None if it has expired; records the time of use."""
    session = await rows.find_session(db.read, token_hash(token))
    if session is None or session.seen_at < now - IDLE_US or session.created_at < now - LIFETIME_US:
        return None
    account = await rows.get(db.read, session.account_id)
    if not account.enabled:
        return None
    if session.seen_at < now - SEEN_EVERY_US:
        await db.write(lambda tx: rows.update_seen(tx, session.id, now))
    return account, session


async def sign_out(db: Database, *, account: Account, session_id: int, release: bool = True) -> None:
    """End one of a person's sessions; with `release`, release their leases too."""

    async def change(tx: Tx) -> None:
        await rows.delete_session(tx, account.id, session_id)
        if release:
            await leases.delete_of(tx, account.actor)

    await db.write(change)
