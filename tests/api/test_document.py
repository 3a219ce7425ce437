"""The document: every route, every code; each code of each call is provoked."""

from __future__ import annotations

import copy
import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import msgspec
import pytest
from openapi_spec_validator import validate

from smsign.actions import apps as app_actions
from smsign.api import openapi
from smsign.api.errors import STATUS
from smsign.api.routes import API, OPEN
from smsign.domain.audits import REASONS
from smsign.domain.events import Kind
from smsign.domain.images import NAMED, NUMBERED
from smsign.domain.signatures import FIELDS, Rules
from smsign.errors import TEMPLATE_CODES, Code
from smsign.storage.engine.protocol import Tx
from smsign.storage.rows import apps as app_rows
from smsign.storage.rows import callbacks as callback_rows
from tests.api.api import api
from tests.api.document import DOCUMENT, follow
from tests.api.raw import basic
from tests.running import Key, Server, free_port

pytestmark = pytest.mark.process

BY_NUMBER = {int(code): code for code in Code}
OPERATIONS = [
    (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


def codes_of(operation: dict[str, Any]) -> dict[int, int]:
    """Return the codes that a call is documented to be refused with, and the status of each."""
    found = {}
    for status, response in operation["responses"].items():
        content = follow(response).get("content", {}).get("application/json", {})
        for code in content.get("examples", {}):
            if code.isdigit():
                found[int(code)] = int(status)
    return found


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_document_is_openapi_3_1(language: str) -> None:
    document = openapi.document(Rules(), language)
    validate(copy.deepcopy(document))
    assert "x-zh" not in json.dumps(document)
    chinese = any("\u4e00" <= char <= "\u9fff" for char in document["info"]["description"])
    assert chinese == (language == "zh")


def test_every_text_for_people_has_its_chinese() -> None:
    from importlib import resources

    source = msgspec.json.decode(resources.files("smsign.api").joinpath("openapi.json").read_bytes())

    def walk(node: Any, place: str) -> Iterator[str]:
        if isinstance(node, dict):
            reported = {name for name in ("summary", "description") if isinstance(node.get(name), str)}
            if reported != set(node.get("x-zh", {})):
                yield place
            for name, each in node.items():
                if name not in ("x-zh", "example", "value", "properties"):
                    yield from walk(each, f"{place}/{name}")
            for name, each in node.get("properties", {}).items():
                yield from walk(each, f"{place}/properties/{name}")
        elif isinstance(node, list):
            for n, each in enumerate(node):
                yield from walk(each, f"{place}/{n}")

    assert list(walk(source, "")) == []


def test_the_document_has_every_route_and_no_other() -> None:
    routes = {(path, method) for path, methods in {**API, **OPEN}.items() for method in methods}
    assert {(path, method.upper()) for method, path, _ in OPERATIONS} == routes
    for _, path, operation in OPERATIONS:
        assert (operation.get("security") == []) == (path in OPEN)


def test_every_code_is_documented_under_its_status_with_an_example() -> None:
    documented = {int(code) for code in DOCUMENT["components"]["examples"]}
    mentioned = {code for _, _, operation in OPERATIONS for code in codes_of(operation)} | {50018}
    assert documented == mentioned
    never = TEMPLATE_CODES | {Code.SUCCESS}
    assert documented == {int(code) for code in Code if code not in never}
    for _, _, operation in OPERATIONS:
        for code, status in codes_of(operation).items():
            assert STATUS[BY_NUMBER[code]] == status
    for code, example in DOCUMENT["components"]["examples"].items():
        error = example["value"]["error"]
        assert (error["code"], error["message"]) == (int(code), BY_NUMBER[int(code)].message)


def test_the_codes_of_a_response_are_those_of_its_schema() -> None:
    for _, path, operation in OPERATIONS:
        for status, response in operation["responses"].items():
            content = follow(response).get("content", {}).get("application/json", {})
            if int(status) >= 400 and "allOf" in content["schema"]:
                reported = content["schema"]["allOf"][1]["properties"]["error"]["properties"]["code"]["enum"]
                assert [str(code) for code in reported] == list(content["examples"]), (path, status)


def test_names_are_those_of_the_code() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert set(schemas["Slot"]["enum"]) == {*NUMBERED, *NAMED}
    assert set(schemas["Reason"]["properties"]["code"]["enum"]) == set(REASONS)
    assert set(schemas["Submission"]["properties"]) == FIELDS | {*NUMBERED, *NAMED, "images"}
    kinds = {kind for kind in Kind if kind.startswith("signature.") and kind != Kind.DELETED}
    assert set(schemas["Entry"]["properties"]["kind"]["enum"]) == kinds


def test_the_document_is_served_in_both_languages_with_the_bounds_of_the_server(
    start_plain: Callable[..., Server],
) -> None:
    server = start_plain(content_min=3, content_max=12)
    answer = httpx.get(f"{server.url}/openapi.json")
    sign = answer.json()["components"]["schemas"]["Submission"]["properties"]["sign"]
    assert (sign["minLength"], sign["maxLength"]) == (3, 12)
    again = httpx.get(f"{server.url}/openapi.json", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    chinese = httpx.get(f"{server.url}/openapi.json", headers={"accept-language": "zh"})
    assert chinese.json()["info"]["summary"] == "短信签名：提交、审核、查询"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("plain"), port=free_port()) as running:
        yield running


def test_the_reference_has_every_call_every_schema_and_every_code(plain: Server) -> None:
    for language, title in (("en", "Reference"), ("zh", "接口参考")):
        answer = httpx.get(f"{plain.url}/reference", headers={"accept-language": language})
        page = answer.text
        assert title in page
        assert "<script" not in page
        assert "{{" not in page
        for _, path, operation in OPERATIONS:
            assert f'id="{operation["operationId"]}"' in page
            assert path in page
        for name in DOCUMENT["components"]["schemas"]:
            assert f'id="schema-{name}"' in page
        for code in DOCUMENT["components"]["examples"]:
            assert code in page
        assert f"curl -u APP_KEY:MASTER_SECRET {plain.url}/v1/signs" in page


def test_a_host_that_is_html_is_no_html_on_the_page(plain: Server) -> None:
    page = httpx.get(f"{plain.url}/reference", headers={"host": '"><b>x'}).text
    assert "<b>x" not in page


# Each documented code of each call, provoked.

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
            return await callback_rows.insert(
                tx,
                app_id=found.id,
                url="https://example.com/",
                format="vendor",
                decisions_only=True,
                secret_sealed=None,
                now=1,
            )

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
    """Return the arguments of a request that is refused with `code`."""
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
def test_a_documented_code_occurs(world: World, method: str, path: str, code: int) -> None:
    sent = request(world, method, path, code)
    answer = httpx.request(**sent)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (STATUS[BY_NUMBER[code]], code), answer.text
