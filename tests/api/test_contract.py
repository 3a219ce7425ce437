"""The contract's calls: paths, ids and responses."""

from __future__ import annotations

import pytest

from tests.api import raw
from tests.api.raw import MULTIPART, SIGN, basic, form, part
from tests.running import Key, Server

UNKNOWN_IDS = [
    "1" * 40,
    "-1",
    "0",
    "abc",
    "%00",
    "1%00",
    "0{id}",
    "+{id}",
    "{id}.0",
    "{id}e0",
    "%20{id}",
    "{id}%20",
    "0x{id}",
    "{id}_0",
    "%D9%A1",
    "%EF%BC%91",
    "%C2%B2",
    "%ff",
    "%ED%A0%80",
    "..",
    "{id};a",
    "{id},1",
    "2147483647",
    "2147483648",
    "4294967296",
    "9223372036854775808",
]


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
def test_malformed_unknown_and_other_applications_ids_get_identical_responses(
    server: Server, app: Key, method: str
) -> None:
    deleted = raw.create(server, app).sign_id
    assert raw.delete(server, app, deleted).status == 200
    own = raw.create(server, app).sign_id
    others = raw.create(server, server.make_app()).sign_id
    wrapped = own + 2**32  # the same number in 32 bits
    body = form(part("sign", SIGN)) if method in ("PUT", "POST") else None
    content_type = MULTIPART if body else None
    responses = {}
    for text in [*UNKNOWN_IDS, str(deleted), str(others), str(wrapped)]:
        path = f"/v1/sign/{text.replace('{id}', str(own))}"
        sent = raw.request(method, path, auth=basic(app), content_type=content_type, body=body)
        response = raw.send(server, sent)
        headers = {
            name: value for name, value in response.headers.items() if name not in ("date", "x-request-id")
        }
        responses[text] = (response.status, headers, response.body)
    first = responses["0"]
    assert first[0] == 403
    assert b'"code":50102' in first[2]
    assert {text for text, response in responses.items() if response != first} == set()


def test_a_trailing_slash_is_the_same_path(server: Server, app: Key) -> None:
    body = form(part("sign", SIGN))
    created = raw.send(
        server, raw.request("POST", "/v1/sign/", auth=basic(app), content_type=MULTIPART, body=body)
    )
    assert created.status == 200
    sign_id = created.sign_id
    assert raw.query(server, app, f"{sign_id}/").body == raw.query(server, app, sign_id).body
    server.decide(sign_id, passed=False)
    for method in ("PUT", "POST"):
        sent = raw.request(method, f"/v1/sign/{sign_id}/", auth=basic(app), content_type=MULTIPART, body=body)
        assert raw.send(server, sent).json() == {"sign_id": sign_id}
        server.decide(sign_id, passed=False)
    assert raw.send(server, raw.request("DELETE", f"/v1/sign/{sign_id}/", auth=basic(app))).status == 200


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/sign//", "/v1/sign/1/2", "/V1/SIGN", "/v2/sign"])
def test_other_paths_are_404_without_authentication(server: Server, path: str) -> None:
    assert raw.send(server, raw.request("GET", path)).code == 50016


def test_the_contracts_calls_ignore_the_query_string(server: Server, app: Key) -> None:
    sign_id = raw.create(server, app).sign_id
    assert raw.query(server, app, f"{sign_id}?sign_id=1").json()["sign_id"] == sign_id


def test_the_response_of_a_query_is_plain_utf_8_in_the_contracts_order(server: Server, app: Key) -> None:
    sign_id = raw.create(server, app).sign_id
    expected = f'{{"sign_id":{sign_id},"sign":"{SIGN}","status":0,"use_status":0,"is_default":0}}'
    response = raw.query(server, app, sign_id)
    assert response.headers["content-type"] == "application/json"
    assert response.body == expected.encode()


def test_the_response_of_create_and_modify_is_the_id_alone(server: Server, app: Key) -> None:
    created = raw.create(server, app)
    assert created.status == 200
    assert created.body == b'{"sign_id":%d}' % created.sign_id
    for method in ("PUT", "POST"):
        server.decide(created.sign_id, passed=False)
        assert raw.modify(server, app, created.sign_id, method=method).body == created.body


def test_the_response_of_delete_is_empty_with_a_json_content_type(server: Server, app: Key) -> None:
    response = raw.delete(server, app, raw.create(server, app).sign_id)
    assert response.status == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-length"] == "0"
    assert response.body == b""


def test_deleting_a_signature_in_the_audit_makes_room_for_the_next(server: Server, app: Key) -> None:
    first = raw.create(server, app).sign_id
    assert raw.delete(server, app, first).status == 200
    assert raw.delete(server, app, first).code == 50102
    second = raw.create(server, app)
    assert second.status == 200
    assert second.sign_id > first


def test_a_newly_passed_signature_replaces_the_one_in_use(server: Server, app: Key) -> None:
    ids = []
    for _ in range(2):
        ids.append(raw.create(server, app).sign_id)
        server.decide(ids[-1], passed=True)
    first, second = (raw.query(server, app, sign_id).json() for sign_id in ids)
    assert (first["status"], first["use_status"], first["is_default"]) == (1, 0, 0)
    assert (second["status"], second["use_status"], second["is_default"]) == (1, 1, 1)
    assert raw.delete(server, app, ids[0]).status == 200
    assert raw.delete(server, app, ids[1]).code == 50105
