"""The signature in use, the application itself, and the ETags of all reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.api.api import api, expect_error, fields, submit
from tests.running import Key, Server


@pytest.fixture
def client(server: Server, app: Key) -> Iterator[httpx.Client]:
    with api(server, app) as opened:
        yield opened


def test_the_signature_in_use_is_shown_switched_and_stopped(server: Server, client: httpx.Client) -> None:
    assert client.get("/v1/signs/in-use").json() == {"sign_id": None}
    one = submit(client, "极光")
    expect_error(client.put("/v1/signs/in-use", json={"sign_id": one}), 50102)
    server.decide(one, passed=True)
    two = submit(client, "推送")
    server.decide(two, passed=True)
    assert client.get("/v1/signs/in-use").json()["sign_id"] == two
    switched = client.put("/v1/signs/in-use", json={"sign_id": one}).json()
    assert (switched["sign_id"], switched["sign"], switched["use_status"]) == (one, "极光", 1)
    assert client.get("/v1/signs/in-use").json() == switched
    as_float = client.put("/v1/signs/in-use", json={"sign_id": float(one)})
    assert as_float.json() == switched, "to JSON Schema 1.0 is a whole number"
    assert client.get(f"/v1/sign/{one}").json()["use_status"] == 1
    assert client.get(f"/v1/sign/{two}").json()["use_status"] == 0
    assert client.delete(f"/v1/sign/{one}").json()["error"]["code"] == 50105
    assert client.delete("/v1/signs/in-use").json() == {"sign_id": None}
    assert client.delete("/v1/signs/in-use").json() == {"sign_id": None}
    assert client.delete(f"/v1/sign/{one}").status_code == 200
    expect_error(client.put("/v1/signs/in-use", json={"sign_id": one}), 50102)


@pytest.mark.parametrize(
    "body, named",
    [
        ("{}", ["sign_id"]),
        ('{"sign_id": null}', ["sign_id"]),
        ('{"sign_id": true}', ["sign_id"]),
        ('{"sign_id": 1.5}', ["sign_id"]),
        ('{"sign_id": 1e300}', ["sign_id"]),
        ('{"sign_id": "1"}', ["sign_id"]),
        ('{"sign_id": 0}', ["sign_id"]),
        ('{"sign_id": -1}', ["sign_id"]),
        ('{"sign_id": 2147483648}', ["sign_id"]),
        ('{"sign_id": 1' + "0" * 400 + "}", ["sign_id"]),
        ('{"sign_id": 0, "a": 1, "\\u0000": 2}', ["sign_id", "a", "\0"]),
    ],
)
def test_an_invalid_body_is_an_error_that_names_the_fields(
    client: httpx.Client, body: str, named: list[str]
) -> None:
    response = client.put("/v1/signs/in-use", content=body, headers={"content-type": "application/json"})
    assert fields(response, 51001) == named


@pytest.mark.parametrize(
    "body, kind, code",
    [
        (b"", "application/json", 50003),
        (b"{}", "text/plain", 50017),
        (b"{", "application/json", 50007),
        (b"[]", "application/json; charset=utf-8", 50007),
        (b"\xff", "application/json", 50007),
        (b'{"sign_id": NaN}', "application/json", 50007),
        (b'{"sign_id": "\xff"}', "application/json", 50007),
        (b"[" * 60_000, "application/json", 50007),
        (b'{"a":' * 10_000, "application/json", 50007),
        (b" " * 70_000, "application/json", 50007),
    ],
)
def test_a_body_that_is_no_json_object_is_an_error(
    client: httpx.Client, body: bytes, kind: str, code: int
) -> None:
    expect_error(client.put("/v1/signs/in-use", content=body, headers={"content-type": kind}), code)


def test_an_application_can_read_its_settings(server: Server, app: Key, client: httpx.Client) -> None:
    body = client.get("/v1/app").json()
    assert body == {
        "name": f"app-{app.app_key}",
        "app_key": app.app_key,
        "sms_open": True,
        "use_by_hand": False,
        "in_use_id": None,
        "test": False,
        "test_delay_ms": None,
        "submissions_a_day": 0,
        "submitted_today": None,
    }
    server.json("app", "limit", app.app_key, "7")
    sign_id = submit(client)
    server.decide(sign_id, passed=True)
    body = client.get("/v1/app").json()
    assert (body["in_use_id"], body["submissions_a_day"], body["submitted_today"]) == (
        sign_id,
        7,
        1,
    )


READS: dict[str, Callable[[int], str]] = {
    "list": lambda _: "/v1/signs",
    "one": lambda sign_id: f"/v1/signs/{sign_id}",
    "in use": lambda _: "/v1/signs/in-use",
    "app": lambda _: "/v1/app",
}


@pytest.mark.parametrize("read", READS)
def test_a_conditional_request_is_304_until_the_content_changes(
    server: Server, app: Key, client: httpx.Client, read: str
) -> None:
    sign_id = submit(client)
    path = READS[read](sign_id)
    response = client.get(path)
    tag = response.headers["etag"]
    assert tag.startswith('"')
    assert response.headers["cache-control"] == "private, no-cache"
    assert response.headers["vary"] == "authorization, accept-language"
    for known in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        again = client.get(path, headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert "content-length" not in again.headers
    assert client.get(path, headers={"if-none-match": '"x"'}).content == response.content
    server.decide(sign_id, passed=True)
    assert client.get(path, headers={"if-none-match": tag}).status_code == 200


@pytest.mark.parametrize("path", ["/v1/app", "/v1/signs/in-use"])
def test_a_call_without_parameters_rejects_a_query_string(client: httpx.Client, path: str) -> None:
    assert fields(client.get(path + "?status=1"), 51001) == ["status"]
