"""Register a callback, remove it, rotate its secret, pause and resume it.

Each change is an event of the application's own chain. The ledger names a callback by its id and host: the
rest of an address may bear a secret.
"""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from smsign.domain import callbacks
from smsign.domain.apps import App
from smsign.domain.callbacks import ACTIVE, PAUSED, Callback, OutgoingRequest, Sender
from smsign.domain.events import Kind, Subject
from smsign.domain.formats import FORMATS
from smsign.domain.formats.standard import make_secret
from smsign.errors import ApiError, Code, Problem
from smsign.storage.engine.protocol import Database, Reader, Tx
from smsign.storage.rows import apps as app_rows
from smsign.storage.rows import callbacks as rows
from smsign.storage.rows import events, outbox
from smsign.storage.vault import Vault

ECHO_CHARACTERS = 8
SECRET_BYTES = 32
_MICROSECONDS = 1_000_000


async def register(
    db: Database, vault: Vault, sender: Sender, *, app: App, url: str, format: str, actor: str, now: int
) -> Callback:
    """Add a callback, once its URL is allowed (SSRF) and, in the vendor's format, echoes.

    The standard format sends nothing yet: its receiver does not know the secret before this call returns.

    Raises: ApiError 51001 for what is wrong with the parameters, 51005 if the URL is not verified.
    """
    problems, kind = callbacks.check_url(url), FORMATS.get(format)
    if kind is None:
        listed = ", ".join(FORMATS)
        problems.append(
            Problem.of(
                Code.INVALID_PARAMETER,
                "format",
                f"not one of {listed}",
                f"不在 {listed} 之中",
                f"send one of {listed}",
                f"请使用 {listed} 之一",
            )
        )
    if problems or kind is None:
        raise ApiError(Code.INVALID_PARAMETER, problems)
    _check_room(await rows.list_(db.read, app.id), url, format)
    await _verify(sender, url, echoes=kind.echoes)
    secret = make_secret(secrets.token_bytes(SECRET_BYTES)) if kind.own_secret else None
    sealed = vault.seal(secret, app_key=_bound(app)) if secret else None

    async def change(tx: Tx) -> Callback:
        await app_rows.lock(tx, app.id)
        _check_room(await rows.list_(tx, app.id), url, format)
        callback_id = await rows.insert(
            tx,
            app_id=app.id,
            url=url,
            format=format,
            decisions_only=kind.decisions_only,
            secret_sealed=sealed,
            now=now,
        )
        data = {"callback_id": callback_id, "host": urlsplit(url).hostname, "form": format}
        await events.append(tx, Subject.APP, app.id, Kind.CALLBACK_ADDED, actor=actor, now=now, data=data)
        return await get(tx, app, callback_id)

    return await db.write(change)


def secret_of(vault: Vault, app: App, callback: Callback) -> str | None:
    """Return the callback's secret, or None where its format signs with the masterSecret."""
    sealed = callback.secret_sealed
    return vault.unseal(sealed, app_key=_bound(app)) if sealed is not None else None


def secrets_of(vault: Vault, app: App, callback: Callback, *, now: int) -> tuple[str, ...]:
    """Return the callback's secrets that sign at `now`: two during the overlap of a rotation."""
    found = [callback.secret_sealed]
    if (callback.old_secret_until or 0) > now:
        found.append(callback.old_secret_sealed)
    return tuple(vault.unseal(sealed, app_key=_bound(app)) for sealed in found if sealed is not None)


async def remove(db: Database, *, app: App, callback_id: int, actor: str, now: int) -> None:
    """Remove a callback; its events in the outbox are not delivered any more.

    Raises: ApiError 51004.
    """

    async def change(tx: Tx) -> None:
        await app_rows.lock(tx, app.id)
        await get(tx, app, callback_id)
        await rows.update_deleted(tx, callback_id, now=now)
        data = {"callback_id": callback_id}
        await events.append(tx, Subject.APP, app.id, Kind.CALLBACK_REMOVED, actor=actor, now=now, data=data)

    await db.write(change)


async def rotate(
    db: Database, vault: Vault, *, app: App, callback_id: int, overlap_s: int, actor: str, now: int
) -> Callback:
    """Rotate the secret; for `overlap_s` seconds the old one signs too.

    Raises: ApiError 51004; 51001 for a format that signs with the masterSecret.
    """
    sealed = vault.seal(make_secret(secrets.token_bytes(SECRET_BYTES)), app_key=_bound(app))

    async def change(tx: Tx) -> Callback:
        await app_rows.lock(tx, app.id)
        callback = await get(tx, app, callback_id)
        if callback.secret_sealed is None:
            raise ApiError.of(
                Code.INVALID_PARAMETER,
                "format",
                f"{callback.format}: signs with the masterSecret",
                f"{callback.format}：以 masterSecret 签名",
                "rotate the application's masterSecret instead",
                "请更换应用的 masterSecret",
            )
        until = now + overlap_s * _MICROSECONDS if overlap_s else None
        await rows.update_secret(tx, callback, secret_sealed=sealed, old_secret_until=until)
        data = {"callback_id": callback_id, "overlap_s": overlap_s}
        await events.append(tx, Subject.APP, app.id, Kind.CALLBACK_ROTATED, actor=actor, now=now, data=data)
        return await get(tx, app, callback_id)

    return await db.write(change)


async def pause(
    db: Database, *, app: App, callback_id: int, why: str = callbacks.BY_HAND, actor: str, now: int
) -> Callback:
    """Stop deliveries; events stay in the outbox. One that is paused already stays as it is.

    Raises: ApiError 51004.
    """

    async def change(tx: Tx) -> Callback:
        await app_rows.lock(tx, app.id)
        callback = await get(tx, app, callback_id)
        if callback.state == PAUSED:
            return callback
        await rows.update_state(tx, callback_id, state=PAUSED, why=why)
        data = {"callback_id": callback_id, "why": why}
        await events.append(tx, Subject.APP, app.id, Kind.CALLBACK_PAUSED, actor=actor, now=now, data=data)
        return await get(tx, app, callback_id)

    return await db.write(change)


async def resume(db: Database, *, app: App, callback_id: int, actor: str, now: int) -> Callback:
    """Resume deliveries, all that is in the outbox at once and in order; also if it was not paused.

    Raises: ApiError 51004.
    """

    async def change(tx: Tx) -> Callback:
        await app_rows.lock(tx, app.id)
        await get(tx, app, callback_id)
        await outbox.restart(tx, callback_id, now=now)
        await rows.update_state(tx, callback_id, state=ACTIVE, why="")
        data = {"callback_id": callback_id}
        await events.append(tx, Subject.APP, app.id, Kind.CALLBACK_RESUMED, actor=actor, now=now, data=data)
        return await get(tx, app, callback_id)

    return await db.write(change)


async def get(db: Reader, app: App, callback_id: int) -> Callback:
    """Return a callback of the application.

    Raises: ApiError 51004.
    """
    callback = await rows.find(db, app.id, callback_id)
    if callback is None:
        raise callbacks.unknown("callback_id")
    return callback


def _check_room(known: list[Callback], url: str, format: str) -> None:
    if any((each.url, each.format) == (url, format) for each in known):
        raise ApiError.of(
            Code.INVALID_PARAMETER,
            "url",
            "the application has this callback already, in this format",
            "该应用已有此地址与格式的回调",
            "resume that one, or remove it first",
            "请恢复已有的回调，或先将其删除",
        )
    if len(known) >= callbacks.CALLBACKS_MAX:
        raise ApiError.of(
            Code.INVALID_PARAMETER,
            "url",
            f"the application has {callbacks.CALLBACKS_MAX} callbacks already",
            f"该应用已有 {callbacks.CALLBACKS_MAX} 个回调",
            "remove one first",
            "请先删除一个",
        )


async def _verify(sender: Sender, url: str, *, echoes: bool) -> None:
    if why := await sender.check(url):
        raise ApiError.of(
            Code.NOT_VERIFIED,
            "url",
            f"nothing may be sent there: {why}",
            f"不能向此地址发送：{why}",
            "use a public address, or ask the operator to allow its network (callback_networks)",
            "请使用公网地址，或请运营方在 callback_networks 中允许其网络",
        )
    if not echoes:
        return
    echo = secrets.token_hex(ECHO_CHARACTERS // 2)
    response = await sender.send(OutgoingRequest("GET", f"{url}{'&' if '?' in url else '?'}echostr={echo}"))
    if not response.is_success or response.text.strip() != echo:
        got = response.error or f"{response.status} {response.text[:80]!r}"
        raise ApiError.of(
            Code.NOT_VERIFIED,
            "url",
            f"did not answer a GET with its echostr: {got}",
            f"未以 echostr 应答 GET 请求：{got}",
            f"answer GET …?echostr={echo} with 200 and the body {echo}",
            f"请对 GET …?echostr={echo} 返回 200，正文为 {echo}",
        )


def _bound(app: App) -> str:
    return f"callback:{app.app_key}"
