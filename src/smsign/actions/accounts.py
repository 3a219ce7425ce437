"""Invite people, make and change their accounts, sign them in and out."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import argon2

from smsign.domain import accounts
from smsign.domain.accounts import Account, Invitation, Role, Session
from smsign.domain.events import Kind, Subject
from smsign.errors import Conflict, InvalidInput
from smsign.storage.engine.protocol import Database, Tx
from smsign.storage.rows import accounts as rows
from smsign.storage.rows import events, leases

T = TypeVar("T")

_S = 1_000_000
INVITED_FOR_US = 7 * 86_400 * _S
SESSION_IDLE_US = 12 * 3600 * _S
SESSION_LIFE_US = 7 * 86_400 * _S
SEEN_EVERY_US = 60 * _S
HASH_KIB = 47_104
"""Memory of one argon2id hash of one pass: OWASP's first choice. Two at once, so that it is bounded."""

_HASHERS = ThreadPoolExecutor(2, "argon2")
FIRST_ACTOR = "system:first"
"""Who invites the first admin: the server, at its start."""


async def invite(
    db: Database,
    *,
    roles: str,
    actor: str,
    now: int,
    account_id: int | None = None,
    app_id: int | None = None,
) -> str:
    """Return the token of a link that works once, for seven days.

    It makes an account with `roles`, an owner of `app_id` if given; or lets the person of `account_id`
    set a new password.
    """
    token = secrets.token_urlsafe(32)
    invitation = Invitation(0, account_id, app_id, roles, actor, now + INVITED_FOR_US)

    async def change(tx: Tx) -> None:
        await rows.insert_invitation(tx, invitation, token_hash(token), now=now)

    await db.write(change)
    return token


async def invite_first(db: Database, *, now: int) -> str | None:
    """Return the token of the link that makes the first account, or None if there is one already.

    Each call withdraws the link before.
    """

    async def withdraw(tx: Tx) -> None:
        await rows.delete_invitations_of(tx, FIRST_ACTOR)

    await db.write(withdraw)
    if await rows.count(db.read):
        return None
    return await invite(db, roles=" ".join(Role), actor=FIRST_ACTOR, now=now)


async def accept(
    db: Database,
    *,
    token: str,
    name: str,
    now: int,
    password: str = "",
    identity: tuple[str, str] | None = None,
) -> Account:
    """Use an invitation: make the account, or set the password of the one it is for.

    `identity` is a provider's (issuer, subject), in place of a password.

    Raises: InvalidInput for a link that was used or has expired, and for a name or password that will
    not do.
    """
    invitation = await rows.find_invitation(db.read, token_hash(token), now=now)
    if invitation is None or (identity and invitation.account_id is not None):
        raise _used_up()
    if invitation.account_id is None:
        accounts.check_name(name)
    else:
        name = (await rows.get(db.read, invitation.account_id)).name
    hashed = "" if identity else await hash_password(accounts.check_password(password, name=name))

    async def change(tx: Tx) -> Account:
        if not await rows.use_invitation(tx, invitation.id):
            raise _used_up()
        if invitation.actor == FIRST_ACTOR and await rows.count(tx):
            raise _used_up()
        if invitation.account_id is not None:
            return await _set_password(tx, invitation.account_id, hashed, now=now)
        return await _make(tx, invitation, name, hashed, identity, now=now)

    return await db.write(change)


async def connect(db: Database, *, account: Account, issuer: str, subject: str, now: int) -> None:
    """Let a person sign in through a provider from now on.

    Raises: InvalidInput when the provider's account belongs to somebody here already.
    """

    async def change(tx: Tx) -> None:
        await _connect(tx, account.id, (issuer, subject))
        told = {"connected": issuer}
        await _record(tx, account.id, Kind.ACCOUNT_CHANGED, actor=account.actor, now=now, data=told)

    await db.write(change)


async def check_password(db: Database, *, name: str, password: str) -> Account | None:
    """Return the account if the password is its own and it is enabled; else None, after as long a time."""
    account = await rows.find(db.read, name)
    known = account.password if account and account.password else _decoy()
    right = await _on_thread(_verify, known, password)
    return account if right and account and account.password and account.enabled else None


async def sign_in(db: Database, *, account: Account, address: str, agent: str, now: int) -> str:
    """Start a session; return its token, which only the person's browser keeps."""
    token = secrets.token_urlsafe(32)

    async def change(tx: Tx) -> None:
        await rows.delete_old_sessions(
            tx, seen_before=now - SESSION_IDLE_US, made_before=now - SESSION_LIFE_US
        )
        await rows.insert_session(
            tx, token_hash(token), account.id, address=address, agent=agent[:200], now=now
        )

    await db.write(change)
    return token


async def find_session(db: Database, token: str, *, now: int) -> tuple[Account, Session] | None:
    """Return whose session this is and itself, or None once it is over; notes that it is used."""
    session = await rows.find_session(db.read, token_hash(token))
    if session is None:
        return None
    if session.seen_at < now - SESSION_IDLE_US or session.created_at < now - SESSION_LIFE_US:
        return None
    account = await rows.get(db.read, session.account_id)
    if not account.enabled:
        return None
    if session.seen_at < now - SEEN_EVERY_US:

        async def change(tx: Tx) -> None:
            await rows.update_seen(tx, session.id, now)

        await db.write(change)
    return account, session


async def sign_out(db: Database, *, account: Account, session_id: int, leaves: bool = True) -> None:
    """End one of a person's sessions; with `leaves`, free what they have on the desk."""

    async def change(tx: Tx) -> None:
        await rows.delete_session(tx, account.id, session_id)
        if leaves:
            await leases.delete_of(tx, account.actor)

    await db.write(change)


async def change_password(db: Database, *, account: Account, password: str, keep: int, now: int) -> None:
    """Set a person's password and end all sessions but `keep`.

    Raises: InvalidInput.
    """
    hashed = await hash_password(accounts.check_password(password, name=account.name))

    async def change(tx: Tx) -> None:
        await _set_password(tx, account.id, hashed, now=now, keep=keep)

    await db.write(change)


async def update(
    db: Database, *, account_id: int, roles: str, enabled: bool, actor: str, now: int
) -> Account:
    """Set what a person may do; one who is disabled is signed out at once, and their desk is free.

    Raises: NotFound, InvalidInput when nobody would be left who is an admin.
    """

    async def change(tx: Tx) -> Account:
        await rows.lock(tx, account_id)
        await rows.update(tx, account_id, roles=roles, enabled=enabled)
        if not await rows.count_admins(tx):
            raise InvalidInput(
                "role: this is the last admin; make another one first",
                "角色：这是最后一名管理员，请先指定其他管理员",
            )
        account = await rows.lock(tx, account_id)
        if not enabled:
            await rows.delete_sessions(tx, account_id)
            await leases.delete_of(tx, account.actor)
        told = {"roles": roles, "enabled": enabled}
        await _record(tx, account_id, Kind.ACCOUNT_CHANGED, actor=actor, now=now, data=told)
        return account

    return await db.write(change)


def token_hash(token: str) -> bytes:
    """Return what the database keeps of a token: whoever reads the table cannot use it."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


async def hash_password(password: str) -> str:
    """Return the argon2id hash, made on a thread: it takes tens of milliseconds by design."""
    return await _on_thread(_hasher().hash, password)


async def _make(
    tx: Tx, invitation: Invitation, name: str, hashed: str, identity: tuple[str, str] | None, *, now: int
) -> Account:
    try:
        account_id = await rows.insert(tx, name=name, roles=invitation.roles, password=hashed, now=now)
    except Conflict:
        raise InvalidInput(
            f"name: {name} is taken; choose another", f"用户名：{name} 已被使用，请换一个"
        ) from None
    if identity is not None:
        await _connect(tx, account_id, identity)
    if invitation.app_id is not None:
        await rows.insert_owner(tx, invitation.app_id, account_id)
    account = await rows.lock(tx, account_id)
    told = {"name": name, "roles": invitation.roles, "invited_by": invitation.actor}
    await _record(tx, account_id, Kind.ACCOUNT_CREATED, actor=account.actor, now=now, data=told)
    return account


async def _connect(tx: Tx, account_id: int, identity: tuple[str, str]) -> None:
    try:
        await rows.insert_identity(tx, *identity, account_id)
    except Conflict:
        raise InvalidInput(
            "that sign-in belongs to an account here already", "该登录已与本系统的账号关联"
        ) from None


async def _set_password(tx: Tx, account_id: int, hashed: str, *, now: int, keep: int = 0) -> Account:
    account = await rows.lock(tx, account_id)
    await rows.update_password(tx, account_id, hashed)
    await rows.delete_sessions(tx, account_id, but=keep)
    await _record(tx, account_id, Kind.PASSWORD_CHANGED, actor=account.actor, now=now)
    return account


async def _record(
    tx: Tx, account_id: int, kind: Kind, *, actor: str, now: int, data: Mapping[str, object] | None = None
) -> None:
    await events.append(tx, Subject.ACCOUNT, account_id, kind, actor=actor, now=now, data=data)


async def _on_thread(work: Callable[..., T], *args: str) -> T:
    return await asyncio.get_running_loop().run_in_executor(_HASHERS, work, *args)


def _verify(hashed: str, password: str) -> bool:
    try:
        return _hasher().verify(hashed, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


@cache
def _hasher() -> argon2.PasswordHasher:
    return argon2.PasswordHasher(time_cost=1, memory_cost=HASH_KIB, parallelism=1)


@cache
def _decoy() -> str:
    return _hasher().hash(secrets.token_urlsafe(16))


def _used_up() -> InvalidInput:
    return InvalidInput(
        "this link was used already or has expired; ask for a new one", "此链接已使用或已过期，请重新获取"
    )
