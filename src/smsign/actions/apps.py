"""Create and change applications: secret, settings, owners, the signature in use."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import msgspec

from smsign.actions import sandbox as sandbox_actions
from smsign.domain import apps, sandbox
from smsign.domain.accounts import Account, Role
from smsign.domain.apps import App
from smsign.domain.events import Counter, Kind, Subject
from smsign.domain.replay import fingerprint
from smsign.domain.signatures import Status
from smsign.errors import Conflict, InvalidInput
from smsign.storage.engine.protocol import Database, Tx
from smsign.storage.ledger import chains
from smsign.storage.rows import accounts, events
from smsign.storage.rows import apps as rows
from smsign.storage.rows import signatures as signature_rows
from smsign.storage.vault import Vault


class Keys(msgspec.Struct, frozen=True):
    """The credentials of an application: 24 characters of [0-9a-f] each."""

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
    """Create an application with its SMS service open; `owner` is the id of an account.

    With `test_delay_ms` it is a sandbox application for good: its signatures are decided automatically.

    Raises: InvalidInput if the name is malformed or taken, or the delay is out of bounds.
    """
    apps.check_name(name)
    sandbox.check_delay(test_delay_ms)

    async def change(tx: Tx) -> App:
        delay_ms = await sandbox_actions.find_emulator_delay(tx) if test_delay_ms is None else test_delay_ms
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
        data: dict[str, object] = {
            "name": name,
            "app_key": keys.app_key,
            "secret": fingerprint(vault.mac(keys.master_secret)),
            "use_by_hand": int(use_by_hand),
            "owners": [],
        }
        if owner is not None:
            await accounts.insert_owner(tx, app_id, owner)
            data["owners"] = [(await accounts.get(tx, owner)).name]
        if delay_ms is not None:
            data["test_delay_ms"] = delay_ms
        await events.append(
            tx, Subject.APP, app_id, Kind.APP_CREATED, actor=actor, now=now, data=data, first=True
        )
        await chains.count_one_more(tx, Counter.APPS)
        await chains.put_signatures(tx, app_id, 0)
        return await rows.lock(tx, app_id)

    return await db.write(change)


async def rotate(db: Database, vault: Vault, *, app: App, overlap_s: int, actor: str, now: int) -> Keys:
    """Give an application a new masterSecret; the old one stays valid for `overlap_s` seconds."""
    keys = Keys(app.app_key, secrets.token_hex(12))

    async def update(tx: Tx, app_id: int) -> None:
        await rows.update_secret(
            tx,
            await rows.lock(tx, app_id),
            secret_mac=vault.mac(keys.master_secret),
            secret_sealed=vault.seal(keys.master_secret, app_key=app.app_key),
            old_secret_until=now + overlap_s * 1_000_000 if overlap_s else None,
        )

    data = {"overlap_s": overlap_s, "secret": fingerprint(vault.mac(keys.master_secret))}
    await _update(db, app, Kind.SECRET_ROTATED, update, actor, now, data)
    return keys


async def show_secret(db: Database, vault: Vault, *, app: App, actor: str, now: int) -> str:
    """Return the masterSecret, and record that it was shown."""

    async def change(tx: Tx) -> bytes:
        await rows.lock(tx, app.id)
        await events.append(tx, Subject.APP, app.id, Kind.SECRET_SHOWN, actor=actor, now=now)
        return await rows.get_sealed(tx, app.id)

    return vault.unseal(await db.write(change), app_key=app.app_key)


async def set_open(db: Database, *, app: App, sms_open: bool, actor: str, now: int) -> App:
    """Open or close the SMS service; while it is closed, every call answers 50008."""
    kind = Kind.APP_OPENED if sms_open else Kind.APP_CLOSED
    return await _update(db, app, kind, partial(rows.update_open, sms_open=sms_open), actor, now)


async def set_by_hand(db: Database, *, app: App, use_by_hand: bool, actor: str, now: int) -> App:
    """Set whether the owner switches to a signature that passed, or that happens automatically."""
    update, data = partial(rows.update_by_hand, use_by_hand=use_by_hand), {"use_by_hand": use_by_hand}
    return await _update(db, app, Kind.SWITCH_CHANGED, update, actor, now, data)


async def set_limit(db: Database, *, app: App, submissions_a_day: int, actor: str, now: int) -> App:
    """Set the daily limit of submissions; 0: the limit in the server's settings."""
    update = partial(rows.update_limit, submissions_a_day=submissions_a_day)
    data = {"submissions_a_day": submissions_a_day}
    return await _update(db, app, Kind.LIMIT_CHANGED, update, actor, now, data)


async def add_owner(db: Database, *, app: App, name: str, actor: str, now: int) -> None:
    """Make a person with the role owner an owner of an application.

    Raises: InvalidInput unless there is a person with this name and role.
    """
    account = await accounts.find(db.read, name)
    if account is None or not account.has(Role.OWNER):
        raise InvalidInput(
            f"name: nobody with the role owner is called {name}", f"用户名：没有名为 {name} 的应用负责人"
        )
    update = partial(accounts.insert_owner, account_id=account.id)
    await _update(db, app, Kind.OWNER_ADDED, update, actor, now, {"account": name})


async def remove_owner(db: Database, *, app: App, account: Account, actor: str, now: int) -> None:
    """Remove a person from the owners of an application."""
    update = partial(accounts.delete_owner, account_id=account.id)
    await _update(db, app, Kind.OWNER_REMOVED, update, actor, now, {"account": account.name})


async def use(db: Database, *, app: App, signature_id: int | None, actor: str, now: int) -> App:
    """Set which signature the application uses, or none.

    Raises: InvalidInput unless it is a signature of the application that passed.
    """

    async def change(tx: Tx) -> App:
        if signature_id is not None:
            signature = await signature_rows.lock(tx, app.id, signature_id)
            if signature is None or signature.status != Status.PASSED:
                raise InvalidInput(
                    f"signature {signature_id} is not one of {app.name} that passed the audit",
                    f"签名 {signature_id} 不是 {app.name} 已通过审核的签名",
                )
        current = await rows.lock(tx, app.id)
        if current.in_use_id == signature_id:
            return current
        await rows.update_in_use(tx, app.id, in_use_id=signature_id)
        data = {"from": current.in_use_id, "to": signature_id}
        await events.append(tx, Subject.APP, app.id, Kind.USE_CHANGED, actor=actor, now=now, data=data)
        return await rows.lock(tx, app.id)

    return await db.write(change)


async def _update(
    db: Database,
    app: App,
    kind: Kind,
    update: Callable[[Tx, int], Awaitable[object]],
    actor: str,
    now: int,
    data: Mapping[str, object] | None = None,
) -> App:
    """Lock an application, update it, and record the event; return the application after it."""

    async def change(tx: Tx) -> App:
        await rows.lock(tx, app.id)
        await update(tx, app.id)
        await events.append(tx, Subject.APP, app.id, kind, actor=actor, now=now, data=data)
        return await rows.lock(tx, app.id)

    return await db.write(change)
