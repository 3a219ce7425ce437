"""Create an application, rotate its secret, show it, open and close its SMS service, switch what it uses."""

from __future__ import annotations

import secrets

import msgspec

from smsign.actions import sandbox as test_actions
from smsign.domain import apps, sandbox
from smsign.domain.accounts import Account, Role
from smsign.domain.apps import App
from smsign.domain.events import Kind, Subject
from smsign.domain.signatures import Status
from smsign.errors import Conflict, InvalidInput
from smsign.storage.engine.protocol import Database, Tx
from smsign.storage.rows import accounts, events
from smsign.storage.rows import apps as rows
from smsign.storage.rows import signatures as signature_rows
from smsign.storage.vault import Vault

_MICROSECONDS = 1_000_000


class Keys(msgspec.Struct, frozen=True):
    """What an application signs its requests with: 24 characters of [0-9a-f] each."""

    app_key: str
    master_secret: str


def make_keys() -> Keys:
    """Return a new pair of keys."""
    return Keys(secrets.token_hex(12), secrets.token_hex(12))


async def create(
    db: Database,
    vault: Vault,
    *,
    name: str,
    keys: Keys,
    use_by_hand: bool,
    actor: str,
    now: int,
    owner: int | None = None,
    test_delay_ms: int | None = None,
) -> App:
    """Add an application with its SMS service open; `owner` is the account that it belongs to.

    With `test_delay_ms` it is a test application, and stays one: its audit decides itself.

    Raises: InvalidInput when the name is malformed or taken, or the delay is out of bounds.
    """
    apps.check_name(name)
    sandbox.check_delay(test_delay_ms)

    async def change(tx: Tx) -> App:
        delay_ms = await test_actions.find_emulated(tx) if test_delay_ms is None else test_delay_ms
        try:
            app_id = await rows.insert(
                tx,
                name=name,
                app_key=keys.app_key,
                secret_mac=vault.mac(keys.master_secret),
                secret_sealed=vault.seal(keys.master_secret, app_key=keys.app_key),
                use_by_hand=use_by_hand,
                test_delay_ms=delay_ms,
                now=now,
            )
        except Conflict:
            raise InvalidInput(
                f"name: an application called {name} exists already; choose another",
                f"名称：已有名为 {name} 的应用，请换一个",
            ) from None
        if owner is not None:
            await accounts.insert_owner(tx, app_id, owner)
        told: dict[str, object] = {"name": name, "app_key": keys.app_key}
        if delay_ms is not None:
            told["test_delay_ms"] = delay_ms
        await events.append(
            tx, Subject.APP, app_id, Kind.APP_CREATED, actor=actor, now=now, data=told, first=True
        )
        return await rows.lock(tx, app_id)

    return await db.write(change)


async def rotate(db: Database, vault: Vault, *, app: App, overlap_s: int, actor: str, now: int) -> Keys:
    """Give an application a new masterSecret; the old one stays valid for `overlap_s` seconds."""
    keys = Keys(app.app_key, secrets.token_hex(12))

    async def change(tx: Tx) -> None:
        current = await rows.lock(tx, app.id)
        await rows.update_secret(
            tx,
            current,
            secret_mac=vault.mac(keys.master_secret),
            secret_sealed=vault.seal(keys.master_secret, app_key=app.app_key),
            old_secret_until=now + overlap_s * _MICROSECONDS if overlap_s else None,
        )
        told = {"overlap_s": overlap_s}
        await events.append(tx, Subject.APP, app.id, Kind.SECRET_ROTATED, actor=actor, now=now, data=told)

    await db.write(change)
    return keys


async def show_secret(db: Database, vault: Vault, *, app: App, actor: str, now: int) -> str:
    """Return the masterSecret; that it was shown is an event."""

    async def change(tx: Tx) -> bytes:
        await rows.lock(tx, app.id)
        await events.append(tx, Subject.APP, app.id, Kind.SECRET_SHOWN, actor=actor, now=now)
        return await rows.get_sealed(tx, app.id)

    return vault.unseal(await db.write(change), app_key=app.app_key)


async def set_open(db: Database, *, app: App, sms_open: bool, actor: str, now: int) -> App:
    """Open or close the SMS service; closed, every call answers 50008."""

    async def change(tx: Tx) -> App:
        await rows.lock(tx, app.id)
        await rows.update_open(tx, app.id, sms_open=sms_open)
        kind = Kind.APP_OPENED if sms_open else Kind.APP_CLOSED
        await events.append(tx, Subject.APP, app.id, kind, actor=actor, now=now)
        return await rows.lock(tx, app.id)

    return await db.write(change)


async def set_by_hand(db: Database, *, app: App, use_by_hand: bool, actor: str, now: int) -> App:
    """Set whether a signature that passes waits for its owner to put it in use."""

    async def change(tx: Tx) -> App:
        await rows.lock(tx, app.id)
        await rows.update_by_hand(tx, app.id, use_by_hand=use_by_hand)
        told = {"use_by_hand": use_by_hand}
        await events.append(tx, Subject.APP, app.id, Kind.SWITCH_CHANGED, actor=actor, now=now, data=told)
        return await rows.lock(tx, app.id)

    return await db.write(change)


async def set_limit(db: Database, *, app: App, submissions_a_day: int, actor: str, now: int) -> App:
    """Set how many submissions it may make in a day; 0: as many as the server's setting says."""

    async def change(tx: Tx) -> App:
        await rows.lock(tx, app.id)
        await rows.update_limit(tx, app.id, submissions_a_day=submissions_a_day)
        told = {"submissions_a_day": submissions_a_day}
        await events.append(tx, Subject.APP, app.id, Kind.LIMIT_CHANGED, actor=actor, now=now, data=told)
        return await rows.lock(tx, app.id)

    return await db.write(change)


async def add_owner(db: Database, *, app: App, name: str, actor: str, now: int) -> None:
    """Make a person an owner of an application, one who has the role.

    Raises: InvalidInput when nobody with the role owner has this name.
    """
    account = await accounts.find(db.read, name)
    if account is None or not account.has(Role.OWNER):
        raise InvalidInput(
            f"name: nobody with the role owner is called {name}", f"用户名：没有名为 {name} 的应用负责人"
        )
    await _change_owner(db, app, account, Kind.OWNER_ADDED, actor=actor, now=now)


async def remove_owner(db: Database, *, app: App, account: Account, actor: str, now: int) -> None:
    """Take an application from a person."""
    await _change_owner(db, app, account, Kind.OWNER_REMOVED, actor=actor, now=now)


async def _change_owner(
    db: Database, app: App, account: Account, kind: Kind, *, actor: str, now: int
) -> None:
    async def change(tx: Tx) -> None:
        await rows.lock(tx, app.id)
        row_change = accounts.insert_owner if kind == Kind.OWNER_ADDED else accounts.delete_owner
        await row_change(tx, app.id, account.id)
        told = {"account": account.name}
        await events.append(tx, Subject.APP, app.id, kind, actor=actor, now=now, data=told)

    await db.write(change)


async def use(db: Database, *, app: App, signature_id: int | None, actor: str, now: int) -> App:
    """Set which signature the application uses, or none.

    Raises: InvalidInput unless it is one of the application's that passed.
    """

    async def change(tx: Tx) -> App:
        if signature_id is not None:
            signature = await signature_rows.lock(tx, app.id, signature_id)
            if signature is None or signature.status != Status.PASSED:
                raise InvalidInput(
                    f"signature {signature_id} is none of {app.name}'s that passed the audit",
                    f"签名 {signature_id} 不是 {app.name} 已通过审核的签名",
                )
        current = await rows.lock(tx, app.id)
        if current.in_use_id == signature_id:
            return current
        await rows.update_in_use(tx, app.id, in_use_id=signature_id)
        told = {"from": current.in_use_id, "to": signature_id}
        await events.append(tx, Subject.APP, app.id, Kind.USE_CHANGED, actor=actor, now=now, data=told)
        return await rows.lock(tx, app.id)

    return await db.write(change)
