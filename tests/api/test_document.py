"""The OpenAPI document and the reference: every route, every code, both languages."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import msgspec
import pytest
from openapi_spec_validator import validate

from smsign.api import openapi
from smsign.api.errors import STATUS
from smsign.api.routes import API, OPEN
from smsign.client import Client
from smsign.domain.audits import REASONS
from smsign.domain.events import Kind
from smsign.domain.formats import FORMATS
from smsign.domain.images import NAMED, NUMBERED
from smsign.domain.signatures import FIELDS, Rules
from smsign.errors import TEMPLATE_CODES, Code
from tests.api.document import DOCUMENT, follow
from tests.running import Server, free_port

pytestmark = pytest.mark.process


BY_NUMBER = {int(code): code for code in Code}


OPERATIONS = [
    (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


def codes_of(operation: dict[str, Any]) -> dict[int, int]:
    """Return the documented error codes of a call, and the status of each."""
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


def test_every_description_has_a_chinese_translation() -> None:
    from importlib import resources

    source = msgspec.json.decode(resources.files("smsign.api").joinpath("openapi.json").read_bytes())

    def walk(node: Any, place: str) -> Iterator[str]:
        if isinstance(node, dict):
            texts = {name for name in ("summary", "description") if isinstance(node.get(name), str)}
            if texts != set(node.get("x-zh", {})):
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


def test_enums_and_fields_are_those_of_the_code() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert set(schemas["Slot"]["enum"]) == {*NUMBERED, *NAMED}
    assert set(schemas["ReasonCode"]["enum"]) == set(REASONS)
    assert set(schemas["Submission"]["properties"]) == FIELDS | {*NUMBERED, *NAMED, "images"}
    kinds = {kind for kind in Kind if kind.startswith("signature.")}
    assert set(schemas["EventKind"]["enum"]) == kinds
    assert set(schemas["TimelineKind"]["enum"]) == kinds - {Kind.DELETED}
    assert set(schemas["CallbackFormat"]["enum"]) == set(FORMATS)


def test_responses_are_open_and_requests_are_closed() -> None:
    """A key that a later version adds must not break a client; a misspelt key of a request is an error."""
    schemas = DOCUMENT["components"]["schemas"]
    closed = {name for name, schema in schemas.items() if schema.get("additionalProperties") is False}
    assert closed == {"CallbackRequest", "InUseRequest", "RotationRequest", "TimeRange"}
    others = {name: schema for name, schema in schemas.items() if name not in closed}
    rest = json.dumps([DOCUMENT["paths"], DOCUMENT["webhooks"], others])
    assert '"additionalProperties": false' not in rest


def test_operations_have_the_names_of_the_sdk() -> None:
    sdk = {name for name in dir(Client) if not name.startswith("_")}
    for _, path, operation in OPERATIONS:
        name = re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", operation["operationId"])
        assert (name in sdk) == (path not in OPEN and name != "modify_sign_by_post"), name


def test_objects_of_responses_are_named_schemas() -> None:
    """Generators make up names for the others."""

    def unnamed(node: Any, place: str) -> Iterator[str]:
        if isinstance(node, dict):
            if "properties" in node:
                yield place
            for name, each in node.items():
                yield from unnamed(each, f"{place}/{name}")
        elif isinstance(node, list):
            for n, each in enumerate(node):
                yield from unnamed(each, f"{place}/{n}")

    assert list(unnamed([DOCUMENT["paths"], DOCUMENT["webhooks"]], "")) == []
    for name, schema in DOCUMENT["components"]["schemas"].items():
        inner = [each.get("properties", {}) for each in (schema, *schema.get("allOf", ()))]
        assert list(unnamed([list(each.values()) for each in inner], name)) == []


def test_the_document_is_served_in_both_languages_with_the_limits_of_the_settings(
    start_plain: Callable[..., Server],
) -> None:
    server = start_plain(content_min=3, content_max=12)
    response = httpx.get(f"{server.url}/openapi.json")
    sign = response.json()["components"]["schemas"]["Submission"]["properties"]["sign"]
    assert (sign["minLength"], sign["maxLength"]) == (3, 12)
    again = httpx.get(f"{server.url}/openapi.json", headers={"if-none-match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    chinese = httpx.get(f"{server.url}/openapi.json", headers={"accept-language": "zh"})
    assert chinese.json()["info"]["summary"] == "短信签名：提交、审核、查询"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("plain"), port=free_port()) as running:
        yield running


def test_the_reference_has_every_call_every_schema_and_every_code(plain: Server) -> None:
    for language, title in (("en", "Reference"), ("zh", "接口参考")):
        response = httpx.get(f"{plain.url}/reference", headers={"accept-language": language})
        page = response.text
        assert title in page
        assert page.count("<script") == page.count('<script src="/reference.js" defer></script>') == 1
        assert not re.search(r"<[^>]+\s(style|on\w+)=", page), (
            "the content security policy allows nothing inline"
        )
        assert "{{" not in page
        for _, path, operation in OPERATIONS:
            assert f'id="{operation["operationId"]}"' in page
            assert path in page
        for methods in DOCUMENT["webhooks"].values():
            assert all(f'id="{operation["operationId"]}"' in page for operation in methods.values())
        for name in DOCUMENT["components"]["schemas"]:
            assert f'id="schema-{name}"' in page
        for code in DOCUMENT["components"]["examples"]:
            assert code in page
        assert f"curl -u APP_KEY:MASTER_SECRET {plain.url}/v1/signs" in page


def test_the_reference_escapes_the_host_header(plain: Server) -> None:
    page = httpx.get(f"{plain.url}/reference", headers={"host": '"><b>x'}).text
    assert "<b>x" not in page
