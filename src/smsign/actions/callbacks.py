"""Register and remove callbacks, rotate their secrets, pause and resume them.

Each change is an event of the application. The event contains only the id and host of a callback, since the
rest of its URL may contain secrets.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from smsign.domain import callbacks
from smsign.domain.apps import App
from smsign.domain.callbacks import ACTIVE, PAUSED, Callback, OutgoingRequest, Sender
from smsign.domain.events import Kind, Subject
from smsign.domain.formats import FORMATS
from smsign.domain.formats.standard import make_secret
from smsign.domain.replay import fingerprint
from smsign.errors import ApiError, Code, Problem
from smsign.storage.engine.protocol import Database, Reader, Tx
from smsign.storage.rows import apps as app_rows
from smsign.storage.rows import callbacks as rows
from smsign.storage.rows import events, outbox
from smsign.storage.vault import Vault

ECHO_CHARACTERS = 8
SECRET_BYTES = 32


async def register(
    db: Database, vault: Vault, sender: Sender, *, app: App, url: str, format: str, actor: str, now: int
) -> Callback:
    """Register a callback after checking its address (SSRF) and, if the format requires it, its echo.

    The standard format has no echo: the receiver does not have the secret yet.

    Raises: ApiError 51001 for invalid parameters, 51005 if the check of the address fails.
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
    _check_new(await rows.list_(db.read, app.id), url, format)
    await _verify(sender, url, echoes=kind.echoes)
    secret = make_secret(secrets.token_bytes(SECRET_BYTES)) if kind.own_secret else None
    sealed = vault.seal(secret, app_key=_bound(app)) if secret else None

    async def change(tx: Tx) -> Callback:
        await app_rows.lock(tx, app.id)
        _check_new(await rows.list_(tx, app.id), url, format)
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
        data |= {"url": fingerprint(url), "secret": fingerprint(sealed)}
        await events.append(tx, Subject.APP, app.id, Kind.CALLBACK_ADDED, actor=actor, now=now, data=data)
        return await get(tx, app, callback_id)

    return await db.write(change)


def secret_of(vault: Vault, app: App, callback: Callback) -> str | None:
    """Return the secret of a callback, or None if its format signs with the masterSecret."""
    sealed = callback.secret_sealed
    return vault.unseal(sealed, app_key=_bound(app)) if sealed is not None else None


def secrets_of(vault: Vault, app: App, callback: Callback, *, now: int) -> tuple[str, ...]:
    """Return the secrets of a callback that sign at `now`: two during the overlap of a rotation."""
    found = [callback.secret_sealed]
    if (callback.old_secret_until or 0) > now:
        found.append(callback.old_secret_sealed)
    return tuple(vault.unseal(sealed, app_key=_bound(app)) for sealed in found if sealed is not None)


async def remove(db: Database, *, app: App, callback_id: int, actor: str, now: int) -> None:
    """Remove a callback (soft delete); its undelivered events are discarded.

    Raises: ApiError 51004.
    """

    async def apply(tx: Tx, callback: Callback) -> None:
        await rows.update_deleted(tx, callback.id, now=now)

    await update(db, app, callback_id, Kind.CALLBACK_REMOVED, apply, actor, now)


async def rotate(
    db: Database, vault: Vault, *, app: App, callback_id: int, overlap_s: int, actor: str, now: int
) -> Callback:
    """Give a callback a new secret; for `overlap_s` seconds the old one signs too.

    Raises: ApiError 51004; 51001 for a format that signs with the masterSecret.
    """
    sealed = vault.seal(make_secret(secrets.token_bytes(SECRET_BYTES)), app_key=_bound(app))

    async def apply(tx: Tx, callback: Callback) -> None:
        if callback.secret_sealed is None:
            raise ApiError.of(
                Code.INVALID_PARAMETER,
                "format",
                f"{callback.format}: signs with the masterSecret",
                f"{callback.format}：以 masterSecret 签名",
                "rotate the application's masterSecret instead",
                "请更换应用的 masterSecret",
            )
        until = now + overlap_s * 1_000_000 if overlap_s else None
        await rows.update_secret(tx, callback, secret_sealed=sealed, old_secret_until=until)

    data = {"overlap_s": overlap_s, "secret": fingerprint(sealed)}
    return await update(db, app, callback_id, Kind.CALLBACK_ROTATED, apply, actor, now, data)


async def pause(
    db: Database, *, app: App, callback_id: int, why: str = callbacks.BY_HAND, actor: str, now: int
) -> Callback:
    """Pause deliveries to a callback, unless they are paused; events stay in the outbox.

    Raises: ApiError 51004.
    """

    async def apply(tx: Tx, callback: Callback) -> bool:
        if callback.state != PAUSED:
            await rows.update_state(tx, callback.id, state=PAUSED, why=why)
        return callback.state != PAUSED

    return await update(db, app, callback_id, Kind.CALLBACK_PAUSED, apply, actor, now, {"why": why})


async def resume(db: Database, *, app: App, callback_id: int, actor: str, now: int) -> Callback:
    """Resume deliveries to a callback, and retry all its events now; even if it was not paused.

    Raises: ApiError 51004.
    """

    async def apply(tx: Tx, callback: Callback) -> None:
        await outbox.restart(tx, callback.id, now=now)
        await rows.update_state(tx, callback.id, state=ACTIVE, why="")

    return await update(db, app, callback_id, Kind.CALLBACK_RESUMED, apply, actor, now)


async def update(
    db: Database,
    app: App,
    callback_id: int,
    kind: Kind,
    apply: Callable[[Tx, Callback], Awaitable[bool | None]],
    actor: str,
    now: int,
    data: Mapping[str, object] = {},
) -> Callback:
    """Lock the application, apply a change to a callback, and record the event; return the callback after it.

    If `apply` returns False, nothing has changed and no event is recorded.

    Raises: ApiError 51004, and what `apply` raises.
    """

    async def change(tx: Tx) -> Callback:
        await app_rows.lock(tx, app.id)
        callback = await get(tx, app, callback_id)
        if await apply(tx, callback) is not False:
            event = {"callback_id": callback_id, **data}
            await events.append(tx, Subject.APP, app.id, kind, actor=actor, now=now, data=event)
        return await rows.find(tx, app.id, callback_id) or callback

    return await db.write(change)


async def get(db: Reader, app: App, callback_id: int) -> Callback:
    """Return a callback of the application.

    Raises: ApiError 51004.
    """
    callback = await rows.find(db, app.id, callback_id)
    if callback is None:
        raise callbacks.unknown("callback_id")
    return callback


def _check_new(known: list[Callback], url: str, format: str) -> None:
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
