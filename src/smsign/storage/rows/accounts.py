"""Rows of `account`, `recovery_code`, `session`, `invitation` and `app_owner`."""

from __future__ import annotations

from smsign.domain.accounts import Account, Invitation, SecondFactor, Session
from smsign.errors import NotFound
from smsign.storage.engine.protocol import Reader, Tx

_COLUMNS = "id, name, roles, password, CASE WHEN totp_sealed IS NULL THEN 0 ELSE 1 END, enabled, created_at"
_BY_ID = f"SELECT {_COLUMNS} FROM account WHERE id = $1"
_LOCK = _BY_ID + " {lock}"
_BY_NAME = f"SELECT {_COLUMNS} FROM account WHERE name = $1"
_ALL = f"SELECT {_COLUMNS} FROM account WHERE name > $1 ORDER BY name LIMIT $2"
_OWNERS = f"""SELECT {_COLUMNS} FROM account
  WHERE id IN (SELECT account_id FROM app_owner WHERE app_id = $1) ORDER BY name"""

_SESSION = "id, account_id, address, agent, created_at, seen_at"
_INVITATION = "id, account_id, app_id, roles, actor, expires_at"


async def find(db: Reader, name: str) -> Account | None:
    """Return the account of this name, or None."""
    row = await db.one(_BY_NAME, name)
    return Account(*row) if row else None


async def get(db: Reader, account_id: int) -> Account:
    """Return an account.

    Raises: NotFound.
    """
    row = await db.one(_BY_ID, account_id)
    if row is None:
        raise _unknown(account_id)
    return Account(*row)


async def lock(tx: Tx, account_id: int) -> Account:
    """Return an account, its row locked until the transaction ends.

    Raises: NotFound.
    """
    row = await tx.one(_LOCK, account_id)
    if row is None:
        raise _unknown(account_id)
    return Account(*row)


async def list_(db: Reader, *, after: str = "", limit: int = 100) -> list[Account]:
    """Return up to `limit` accounts by name."""
    return [Account(*row) for row in await db.all(_ALL, after, limit)]


async def count(db: Reader) -> int:
    """Return how many accounts there are."""
    row = await db.one("SELECT count(*) FROM account")
    return int(row[0]) if row else 0


async def count_admins(db: Reader) -> int:
    """Return how many enabled accounts have the role admin."""
    row = await db.one("SELECT count(*) FROM account WHERE enabled = 1 AND roles LIKE '%admin%'")
    return int(row[0]) if row else 0


async def insert(tx: Tx, *, name: str, roles: str, password: str, now: int) -> int:
    """Add an account; return its id.

    Raises: Conflict when the name is taken.
    """
    row = await tx.one(
        """INSERT INTO account (name, roles, password, totp_used, enabled, created_at)
        VALUES ($1, $2, $3, 0, 1, $4) RETURNING id""",
        name,
        roles,
        password,
        now,
    )
    return int(row[0]) if row else 0


async def update(tx: Tx, account_id: int, *, roles: str, enabled: bool) -> None:
    """Set the roles of an account, and whether it is enabled."""
    await tx.run("UPDATE account SET roles = $2, enabled = $3 WHERE id = $1", account_id, roles, int(enabled))


async def update_password(tx: Tx, account_id: int, password: str) -> None:
    """Set the argon2 hash of a password."""
    await tx.run("UPDATE account SET password = $2 WHERE id = $1", account_id, password)


async def update_totp(tx: Tx, account_id: int, sealed: bytes | None) -> None:
    """Set or clear the sealed TOTP secret; delete the recovery codes."""
    await tx.run("UPDATE account SET totp_sealed = $2 WHERE id = $1", account_id, sealed)
    await tx.run("DELETE FROM recovery_code WHERE account_id = $1", account_id)


async def find_totp(db: Reader, account_id: int) -> SecondFactor | None:
    """Return the second factor of an account, or None."""
    row = await db.one(
        "SELECT totp_sealed, totp_used, code_failures, code_wait_until FROM account WHERE id = $1", account_id
    )
    return SecondFactor(bytes(row[0]), *row[1:]) if row and row[0] is not None else None


async def update_code_failures(tx: Tx, account_id: int, failures: int, *, wait_until: int) -> None:
    """Set how many wrong codes there were since the last right one, and until when none is checked."""
    sql = "UPDATE account SET code_failures = $2, code_wait_until = $3 WHERE id = $1"
    await tx.run(sql, account_id, failures, wait_until)


async def use_totp(tx: Tx, account_id: int, step: int) -> bool:
    """Mark a time step as used, so that its code works once; return False if it or a later one was used."""
    sql = "UPDATE account SET totp_used = $2 WHERE id = $1 AND totp_used < $2 RETURNING id"
    return await tx.one(sql, account_id, step) is not None


async def insert_recovery(tx: Tx, account_id: int, mac: bytes) -> None:
    """Add a recovery code."""
    await tx.run("INSERT INTO recovery_code (account_id, mac) VALUES ($1, $2)", account_id, mac)


async def use_recovery(tx: Tx, account_id: int, mac: bytes) -> bool:
    """Delete a recovery code; return False if there is no such code."""
    sql = "DELETE FROM recovery_code WHERE account_id = $1 AND mac = $2 RETURNING account_id"
    return await tx.one(sql, account_id, mac) is not None


async def insert_session(
    tx: Tx, token_hash: bytes, account_id: int, *, address: str, agent: str, now: int
) -> None:
    """Add a session."""
    await tx.run(
        """INSERT INTO session (token_hash, account_id, address, agent, created_at, seen_at)
        VALUES ($1, $2, $3, $4, $5, $5)""",
        token_hash,
        account_id,
        address,
        agent,
        now,
    )


async def find_session(db: Reader, token_hash: bytes) -> Session | None:
    """Return the session of a token, or None."""
    row = await db.one(f"SELECT {_SESSION} FROM session WHERE token_hash = $1", token_hash)
    return Session(*row) if row else None


async def list_sessions(db: Reader, account_id: int) -> list[Session]:
    """Return an account's sessions, the one used last first."""
    sql = f"SELECT {_SESSION} FROM session WHERE account_id = $1 ORDER BY seen_at DESC, id DESC"
    return [Session(*row) for row in await db.all(sql, account_id)]


async def update_seen(tx: Tx, session_id: int, now: int) -> None:
    """Set when a session was last used."""
    await tx.run("UPDATE session SET seen_at = $2 WHERE id = $1", session_id, now)


async def delete_session(tx: Tx, account_id: int, session_id: int) -> None:
    """Delete one of an account's sessions."""
    await tx.run("DELETE FROM session WHERE account_id = $1 AND id = $2", account_id, session_id)


async def delete_sessions(tx: Tx, account_id: int, *, but: int = 0) -> None:
    """Delete an account's sessions, except the id `but`."""
    await tx.run("DELETE FROM session WHERE account_id = $1 AND id <> $2", account_id, but)


async def delete_old_sessions(tx: Tx, *, seen_before: int, made_before: int) -> None:
    """Delete expired sessions."""
    await tx.run("DELETE FROM session WHERE seen_at < $1 OR created_at < $2", seen_before, made_before)


async def insert_invitation(tx: Tx, invitation: Invitation, token_hash: bytes, *, now: int) -> None:
    """Add an invitation; its `id` is not used."""
    await tx.run(
        """INSERT INTO invitation (token_hash, account_id, app_id, roles, actor, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)""",
        token_hash,
        invitation.account_id,
        invitation.app_id,
        invitation.roles,
        invitation.actor,
        now,
        invitation.expires_at,
    )


async def find_invitation(db: Reader, token_hash: bytes, *, now: int) -> Invitation | None:
    """Return the invitation of a token that has not expired, or None."""
    sql = f"SELECT {_INVITATION} FROM invitation WHERE token_hash = $1 AND expires_at > $2"
    row = await db.one(sql, token_hash, now)
    return Invitation(*row) if row else None


async def list_invitations(db: Reader, *, now: int) -> list[Invitation]:
    """Return the invitations that are open, the newest first."""
    sql = f"SELECT {_INVITATION} FROM invitation WHERE expires_at > $1 ORDER BY id DESC LIMIT 100"
    return [Invitation(*row) for row in await db.all(sql, now)]


async def use_invitation(tx: Tx, invitation_id: int) -> bool:
    """Delete an invitation; return False if it was used or withdrawn meanwhile."""
    return await tx.one("DELETE FROM invitation WHERE id = $1 RETURNING id", invitation_id) is not None


async def delete_invitations_of(tx: Tx, actor: str) -> None:
    """Delete the open invitations that `actor` created."""
    await tx.run("DELETE FROM invitation WHERE actor = $1", actor)


async def insert_owner(tx: Tx, app_id: int, account_id: int) -> None:
    """Make an account an owner of an application, if it is not one already."""
    await tx.run(
        """INSERT INTO app_owner (account_id, app_id) VALUES ($2, $1)
        ON CONFLICT (account_id, app_id) DO NOTHING""",
        app_id,
        account_id,
    )


async def delete_owner(tx: Tx, app_id: int, account_id: int) -> None:
    """Remove an owner of an application."""
    await tx.run("DELETE FROM app_owner WHERE account_id = $2 AND app_id = $1", app_id, account_id)


async def list_owners(db: Reader, app_id: int) -> list[Account]:
    """Return an application's owners by name."""
    return [Account(*row) for row in await db.all(_OWNERS, app_id)]


async def owns(db: Reader, app_id: int, account_id: int) -> bool:
    """Return whether an account owns an application."""
    sql = "SELECT 1 FROM app_owner WHERE account_id = $2 AND app_id = $1"
    return await db.one(sql, app_id, account_id) is not None


async def find_identity(db: Reader, issuer: str, subject: str) -> int | None:
    """Return the id of the account linked to an identity provider's subject, or None."""
    sql = "SELECT account_id FROM identity WHERE issuer = $1 AND subject = $2"
    row = await db.one(sql, issuer, subject)
    return int(row[0]) if row else None


async def insert_identity(tx: Tx, issuer: str, subject: str, account_id: int) -> None:
    """Link an identity provider's subject to an account.

    Raises: Conflict when it is linked already.
    """
    await tx.run(
        "INSERT INTO identity (issuer, subject, account_id) VALUES ($1, $2, $3)", issuer, subject, account_id
    )


def _unknown(account_id: int) -> NotFound:
    return NotFound(f"no account has the id {account_id}", f"没有 ID 为 {account_id} 的账号")
