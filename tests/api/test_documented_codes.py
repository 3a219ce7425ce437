"""Each code that the OpenAPI document has for a call, provoked."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from smsign.actions import apps as app_actions
from smsign.api.errors import STATUS
from smsign.domain.events import Kind, Subject
from smsign.domain.replay import fingerprint
from smsign.storage.engine.protocol import Tx
from smsign.storage.rows import apps as app_rows
from smsign.storage.rows import callbacks as callback_rows
from smsign.storage.rows import events
from tests.api.api import api
from tests.api.raw import basic
from tests.api.test_document import BY_NUMBER, OPERATIONS, codes_of
from tests.running import Key, Server, free_port

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("plain"), port=free_port(), auth_window=3600) as running:
        yield running


EXAMPLES = {"{n}": "1", "{slot}": "image0", "{delivery}": "1"}


BODIES: dict[str, dict[str, Any]] = {
    "/v1/callbacks": {"url": "http://10.0.0.7/"},
    "/v1/callbacks/{callback}/rotate": {},
    "/v1/callbacks/{callback}/replay": {"since": "2026-11-24T00:00:00Z", "until": "2026-11-25T00:00:00Z"},
}


class World:
    """A server, and an application in each state that a code needs."""

    def __init__(self, server: Server, broken: Server) -> None:
        self.server = server
        self.broken = broken
        self.app = server.make_app()
        with api(server, self.app) as client:
            created = client.post(
                "/v1/sign", files={"sign": (None, "极光")}, headers={"idempotency-key": "k"}
            )
            self.passed = created.json()["sign_id"]
            server.decide(self.passed, passed=True)
            self.waiting = client.post("/v1/sign", files={"sign": (None, "推送")}).json()["sign_id"]
        self.limited = server.make_app()
        with api(server, self.limited) as client:
            self.refused = client.post("/v1/sign", files={"sign": (None, "推送")}).json()["sign_id"]
        server.decide(self.refused, passed=False)
        server.json("app", "limit", self.limited.app_key, "1")
        with api(server, self.limited) as client:
            client.post(f"/v1/sign/{self.refused}", files={"sign": (None, "推送")})
            client.post(f"/v1/signs/{self.refused}/withdraw")
        self.callback = server.do(self._add_callback)
        self.closed, self.throttled, self.broken_app = server.make_app(), server.make_app(), broken.make_app()
        server.do(self._close)
        broken.do(_break)
        wrong = (self.throttled.app_key, "0" * 24)
        for _ in range(10):
            httpx.get(f"{server.url}/v1/app", auth=wrong)

    async def _add_callback(self, stores: Any) -> int:
        found = await app_rows.get(stores.db.read, self.app.app_key)

        async def change(tx: Tx) -> int:
            url, actor = "https://example.com/", "test:operator"
            callback_id = await callback_rows.insert(
                tx,
                app_id=found.id,
                url=url,
                format="vendor",
                decisions_only=True,
                secret_sealed=None,
                now=1,
            )
            data = {"callback_id": callback_id, "url": fingerprint(url), "secret": None}
            await events.append(tx, Subject.APP, found.id, Kind.CALLBACK_ADDED, actor=actor, now=1, data=data)
            return callback_id

        return int(await stores.db.write(change))

    async def _close(self, stores: Any) -> None:
        found = await app_rows.get(stores.db.read, self.closed.app_key)
        await app_actions.set_open(stores.db, app=found, sms_open=False, actor="test:operator", now=1)


async def _break(stores: Any) -> None:
    async def change(tx: Any) -> None:
        await tx.run("ALTER TABLE app RENAME TO gone")

    await stores.db.write(change)


@pytest.fixture(scope="module")
def world(plain: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Server(tmp_path_factory.mktemp("broken"), port=free_port()) as broken:
        yield World(plain, broken)


def request(world: World, method: str, path: str, code: int) -> dict[str, Any]:
    """Return the arguments of a request that provokes `code`."""
    app, sign_id, headers = world.app, world.waiting, {}
    form: Any = {"sign": (None, "极光")}
    query = ""
    other: dict[str, Any] = {}
    if code == 50002:
        app = Key(secrets.token_hex(12), "f" * 24)
    elif code == 50008:
        app = world.closed
    elif code == 50009:
        app = world.throttled
    elif code == 50102:
        sign_id = 2**31 - 1 if "withdraw" not in path else world.passed
    elif code == 50104:
        form = {"sign": (None, "【】")}
    elif code == 50101:
        form["image0"] = ("a.png", b"no image")
    elif code == 50105:
        sign_id = world.passed
    elif code == 51002:
        headers["idempotency-key"] = "k"
        form = {"sign": (None, "另一个")}
    elif code == 51003:
        app, sign_id = world.limited, world.refused
    elif code == 51001 and path.startswith("/v1/sign/") | (path == "/v1/sign"):
        headers["idempotency-key"] = ""
    elif code == 51001:
        query = "?nonsense=1"
    elif code == 50019:
        app = world.broken_app
    target = path.replace("{id}", str(sign_id))
    for name, value in EXAMPLES.items():
        target = target.replace(name, value)
    target = target.replace("{callback}", str(world.callback if code != 51004 else 10**17))
    if code == 50016:
        target = target + "/2/3"
    if code == 50003:
        other = {"content": b""}
        headers["content-type"] = "multipart/form-data; boundary=x"
    elif code == 50017:
        other = {"content": b"x", "headers": {}}
        headers["content-type"] = "text/plain"
    elif path == "/v1/signs/in-use" and method == "put":
        other = {"json": {"sign_id": sign_id}}
        if code == 50007:
            other = {"json": []}
    elif path in BODIES and method == "post":
        other = {"json": BODIES[path] if code != 50007 else []}
    elif method in ("post", "put") and path.startswith("/v1/sign") and "withdraw" not in path:
        other = {"files": form}
        if code == 50007:
            other = {"content": b"--x\r\nbroken"}
            headers["content-type"] = "multipart/form-data; boundary=x"
    if code != 50001:
        headers["authorization"] = basic(app)
    server = world.broken if code == 50019 else world.server
    return {"method": method.upper(), "url": server.url + target + query, **other, "headers": headers}


CASES = [
    pytest.param(method, path, code, id=f"{method} {path} {code}")
    for method, path, operation in OPERATIONS
    for code in codes_of(operation)
    if path.startswith("/v1/")
]


@pytest.mark.parametrize("method, path, code", CASES)
def test_each_documented_code_of_each_call_can_be_provoked(
    world: World, method: str, path: str, code: int
) -> None:
    sent = request(world, method, path, code)
    response = httpx.request(**sent)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (STATUS[BY_NUMBER[code]], code), response.text
