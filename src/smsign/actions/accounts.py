"""Invite people, create and change their accounts, connect them with single sign-on."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from smsign.actions.passwords import hash_password, token_hash
from smsign.domain import accounts
from smsign.domain.accounts import Account, Invitation, Role
from smsign.domain.events import Counter, Kind, Subject
from smsign.domain.replay import fingerprint
from smsign.errors import Conflict, InvalidInput
from smsign.storage.engine.protocol import Database, Tx
from smsign.storage.ledger import chains
from smsign.storage.rows import accounts as rows
from smsign.storage.rows import apps as app_rows
from smsign.storage.rows import events, leases

INVITED_FOR_US = 7 * 86_400_000_000
FIRST_ACTOR = "system:first"
"""Invites the first admin when the server starts."""


async def invite(
    db: Database,
    *,
    roles: str,
    actor: str,
    now: int,
    account_id: int | None = None,
    app_id: int | None = None,
) -> str:
    """Return the token of a single-use link that is valid for seven days.

    It creates an account with `roles`, an owner of `app_id` if given, or sets a new password for
    `account_id`.
    """
    token = secrets.token_urlsafe(32)
    invitation = Invitation(0, account_id, app_id, roles, actor, now + INVITED_FOR_US)
    await db.write(lambda tx: rows.insert_invitation(tx, invitation, token_hash(token), now=now))
    return token


async def invite_first(db: Database, *, now: int) -> str | None:
    """Return the token of the link that creates the first account, or None if there is an account.

    Each call invalidates the previous link.
    """
    await db.write(lambda tx: rows.delete_invitations_of(tx, FIRST_ACTOR))
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
    """Use an invitation: create the account, or set the password of an existing one.

    `identity` is (issuer, subject) at a single sign-on provider, instead of a password.

    Raises: InvalidInput for a link that was used or has expired, or an invalid name or password.
    """
    invitation = await rows.find_invitation(db.read, token_hash(token), now=now)
    if invitation is None or (identity and invitation.account_id is not None):
        raise _link_expired()
    if invitation.account_id is None:
        accounts.check_name(name)
    else:
        name = (await rows.get(db.read, invitation.account_id)).name
    hashed = "" if identity else await hash_password(accounts.check_password(password, name=name))

    async def change(tx: Tx) -> Account:
        if not await rows.use_invitation(tx, invitation.id):
            raise _link_expired()
        if invitation.actor == FIRST_ACTOR and await rows.count(tx):
            raise _link_expired()
        if invitation.account_id is not None:
            return await _set_password(tx, invitation.account_id, hashed, now=now)
        return await _create(tx, invitation, name, hashed, identity, now=now)

    return await db.write(change)


async def connect(db: Database, *, account: Account, issuer: str, subject: str, now: int) -> None:
    """Connect an account with an identity at a single sign-on provider.

    Raises: InvalidInput if the identity is connected with another account.
    """

    async def change(tx: Tx) -> None:
        await _connect(tx, account.id, (issuer, subject))
        data = {"connected": issuer}
        await _record(tx, account.id, Kind.ACCOUNT_CHANGED, actor=account.actor, now=now, data=data)

    await db.write(change)


async def change_password(db: Database, *, account: Account, password: str, keep: int, now: int) -> None:
    """Set a person's password and end all sessions except `keep`.

    Raises: InvalidInput.
    """
    hashed = await hash_password(accounts.check_password(password, name=account.name))
    await db.write(lambda tx: _set_password(tx, account.id, hashed, now=now, keep=keep))


async def update(
    db: Database, *, account_id: int, roles: str, enabled: bool, actor: str, now: int
) -> Account:
    """Set a person's roles and whether the account is enabled; disabling ends sessions and leases.

    Raises: NotFound; InvalidInput if no admin would be left.
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
        data = {"roles": roles, "enabled": enabled}
        await _record(tx, account_id, Kind.ACCOUNT_CHANGED, actor=actor, now=now, data=data)
        return account

    return await db.write(change)


async def _create(
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
    account = await rows.lock(tx, account_id)
    if invitation.app_id is not None:
        await app_rows.lock(tx, invitation.app_id)
        await rows.insert_owner(tx, invitation.app_id, account_id)
        owner = {"account": name}
        await events.append(
            tx, Subject.APP, invitation.app_id, Kind.OWNER_ADDED, actor=account.actor, now=now, data=owner
        )
    data = {"name": name, "roles": invitation.roles, "invited_by": invitation.actor}
    data["password"] = fingerprint(hashed) or ""
    await _record(tx, account_id, Kind.ACCOUNT_CREATED, actor=account.actor, now=now, data=data)
    await chains.count_one_more(tx, Counter.ACCOUNTS)
    return account


async def _connect(tx: Tx, account_id: int, identity: tuple[str, str]) -> None:
    try:
        await rows.insert_identity(tx, *identity, account_id)
    except Conflict:
        raise InvalidInput(
            "that identity is connected with another account", "该登录已与本系统的账号关联"
        ) from None


async def _set_password(tx: Tx, account_id: int, hashed: str, *, now: int, keep: int = 0) -> Account:
    account = await rows.lock(tx, account_id)
    await rows.update_password(tx, account_id, hashed)
    await rows.delete_sessions(tx, account_id, but=keep)
    data = {"password": fingerprint(hashed)}
    await _record(tx, account_id, Kind.PASSWORD_CHANGED, actor=account.actor, now=now, data=data)
    return account


async def _record(
    tx: Tx, account_id: int, kind: Kind, *, actor: str, now: int, data: Mapping[str, object] | None = None
) -> None:
    await events.append(tx, Subject.ACCOUNT, account_id, kind, actor=actor, now=now, data=data)


def _link_expired() -> InvalidInput:
    return InvalidInput(
        "this link was used or has expired; ask for a new one", "此链接已使用或已过期，请重新获取"
    )
