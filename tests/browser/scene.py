"""A server with accounts, applications, a queue and decisions; for screenshots and the accessibility test."""

from __future__ import annotations

import io
import time
from typing import Any

import msgspec
from PIL import Image, ImageDraw

from smsign.actions import callbacks
from smsign.domain.apps import App
from smsign.domain.callbacks import Callback, OutgoingRequest, Response
from smsign.storage.engine.protocol import Tx
from smsign.storage.open import Stores
from smsign.storage.rows import apps, deliveries
from smsign.storage.rows.outbox import LeasedRow
from tests.running import PASSWORD, Key, Server

NAMES = ("极光推送", "星河物流", "云杉银行", "Harbor", "青禾教育", "山海旅行", "南风书店", "橙光影业")

APPS = ("极光开发者", "星河物流", "云杉银行", "Harbor Hotels", "青禾教育", "山海旅行", "南风书店", "橙光影业")


class Scene(msgspec.Struct):
    """Session tokens, and ids of the pages to open."""

    owner: str
    auditor: str
    admin: str
    app: int
    refused: int
    waiting: int
    callback: int


def licence(name: str, *, width: int = 1400, height: int = 1000, tint: str = "#f3efe2") -> bytes:
    """Return an image that looks like a document."""
    image = Image.new("RGB", (width, height), tint)
    draw = ImageDraw.Draw(image)
    draw.rectangle((40, 40, width - 40, height - 40), outline="#8a6d3b", width=8)
    draw.text((width // 2 - 240, 110), "BUSINESS LICENCE", fill="#5a1a1a", font_size=54)
    for line in range(9):
        draw.line(
            (140, 260 + line * 62, width - 200 - line % 3 * 160, 260 + line * 62), fill="#555555", width=5
        )
    draw.ellipse((width - 380, height - 380, width - 130, height - 130), outline="#c0392b", width=10)
    draw.text(
        (140, height - 130),
        name.encode("ascii", "ignore").decode() or "No. 91440300",
        fill="#333333",
        font_size=36,
    )
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def build(server: Server) -> Scene:
    """Fill a server, and return what was created."""
    owner = server.make_account("chen.yu", "owner")
    auditor = server.make_account("li.na", "auditor")
    admin = server.make_account("wang.wei", "admin", "auditor")
    keys = dict(zip(NAMES, server.make_apps(len(NAMES), names=APPS, owner="chen.yu"), strict=True))
    ids = {}
    for name, key in keys.items():
        tints = enumerate(("#f3efe2", "#e2ecf3"))
        images = [(f"image{n}", ("a.png", licence(name, tint=tint))) for n, tint in tints]
        ids[name] = _submit(server, key, name, images, type="4", remark="官网与应用名称")
    mine = keys["极光推送"]
    server.decide(
        ids["极光推送"],
        passed=False,
        reasons=("name_mismatch", "unreadable:image1"),
        note="第二张图右下角反光。",
    )
    _submit(
        server, mine, "极光推送", [("image0", ("a.png", licence("v2", tint="#eef3e2")))], to=ids["极光推送"]
    )
    server.decide(ids["极光推送"], passed=True)
    server.do(lambda stores: _add_paused(stores, mine))
    refused = _submit(server, mine, "极光短信", [("image0", ("a.png", licence("b")))], type="3")
    server.decide(refused, passed=False, reasons=("too_generic", "not_registered"), note="请补充商标注册证。")
    server.decide(ids["Harbor"], passed=True)
    server.decide(ids["南风书店"], passed=False, reasons=("unreadable",))
    app = server.do(lambda stores: _app_id(stores, mine))
    callback = server.do(lambda stores: _add_callback(stores, mine, refused))
    return Scene(owner, auditor, admin, app, refused, ids["云杉银行"], callback)


def _submit(server: Server, key: Key, sign: str, files: Any, *, to: int | None = None, **fields: str) -> int:
    import httpx

    url = f"{server.url}/v1/sign" + (f"/{to}" if to else "")
    response = httpx.post(url, auth=key.auth, data={"sign": sign, **fields}, files=files)
    assert response.status_code == 200, response.text
    return int(response.json()["sign_id"])


async def _app_id(stores: Any, key: Key) -> int:
    app = await apps.find_by_key(stores.db.read, key.app_key)
    assert app is not None
    return app.id


class NullSender:
    """A sender that sends nothing."""

    async def check(self, url: str) -> str:
        return ""

    async def send(self, request: OutgoingRequest) -> Response:
        return Response(200)


async def _register(stores: Stores, key: Key, url: str, now: int) -> tuple[App, Callback]:
    app = await apps.get(stores.db.read, key.app_key)
    callback = await callbacks.register(
        stores.db,
        stores.vault,
        NullSender(),
        app=app,
        url=url,
        format="standard",
        actor="account:chen.yu",
        now=now,
    )
    return app, callback


async def _add_paused(stores: Stores, key: Key) -> None:
    now = time.time_ns() // 1000
    app, callback = await _register(stores, key, "https://crm.jiguang.example/hooks/sms-signatures", now)
    who: dict[str, Any] = {"why": "failing", "actor": "system:worker", "now": now}
    await callbacks.pause(stores.db, app=app, callback_id=callback.id, **who)


async def _add_callback(stores: Stores, key: Key, sign_id: int) -> int:
    now = time.time_ns() // 1000
    _app, callback = await _register(stores, key, "https://ops.jiguang.example/callbacks", now)
    slow, busy, good = (
        Response(None, "", "no response within 10 s", 10_003),
        Response(503, "busy", "", 812),
        Response(200, "ok", "", 41),
    )
    for seq, answers in ((1, [slow, busy, good]), (2, [busy])):
        for attempts, answer in enumerate(answers):

            async def change(
                tx: Tx, seq: int = seq, attempts: int = attempts, answer: Response = answer
            ) -> None:
                row = LeasedRow(callback.id, sign_id, seq, seq, attempts, "")
                kind = ("signature.submitted", "signature.refused")[seq - 1]
                body = f'{{"type":"{kind}","data":{{"sign_id":{sign_id},"sign":"极光短信","seq":{seq}}}}}'
                sent = OutgoingRequest("POST", callback.url, {"webhook-id": f"evt_{seq}"}, body)
                await deliveries.insert(tx, row, kind=kind, request=sent, response=answer, at=now)

            await stores.db.write(change)
    return callback.id


__all__ = ["NAMES", "PASSWORD", "Scene", "build", "licence"]
