"""Every return code of the contract, provoked, and the headers of its response."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from smsign.actions import apps as app_actions
from smsign.api.errors import STATUS
from smsign.errors import TEMPLATE_CODES, Code
from smsign.storage.rows import apps as app_rows
from tests.api import raw
from tests.api.raw import MULTIPART, Response, basic, part
from tests.running import Key, Server

PUBLISHED = {
    50000: (200, "success"),
    50001: (400, "missing auth"),
    50002: (401, "auth failed"),
    50003: (400, "missing body"),
    50007: (403, "invalid body"),
    50008: (403, "no sms code auth"),
    50013: (403, "invalid temp_id"),
    50016: (404, "api not found"),
    50017: (415, "media not supported"),
    50018: (405, "request method not support"),
    50019: (500, "server error"),
    50025: (403, "wrong template type"),
    50101: (403, "invalid image"),
    50102: (403, "invalid sign id"),
    50103: (403, "other signatures in the audit"),
    50104: (403, "invalid signature"),
    50105: (403, "the signature in use cannot be deleted"),
}
"""The contract's section Return Code, word for word."""

ADDED = {
    50009: (429, "out of freq"),
    51001: (400, "invalid parameter"),
    51002: (422, "idempotency key reused"),
    51003: (429, "too many submissions"),
    51004: (404, "unknown callback"),
    51005: (422, "callback not verified"),
}

Provoke = Callable[[Server, Key], Response]
PROVOKED: dict[int, Provoke] = {}


def provokes(code: int) -> Callable[[Provoke], Provoke]:
    def note(provoke: Provoke) -> Provoke:
        PROVOKED[code] = provoke
        return provoke

    return note


@provokes(50000)
def _success(server: Server, app: Key) -> Response:
    return raw.create(server, app)


@provokes(50001)
def _missing_auth(server: Server, app: Key) -> Response:
    return raw.send(server, raw.request("GET", "/v1/sign/1"))


@provokes(50002)
def _auth_failed(server: Server, app: Key) -> Response:
    return raw.query(server, Key(app.app_key, "0" * 24), 1)


@provokes(50003)
def _missing_body(server: Server, app: Key) -> Response:
    return raw.send(
        server, raw.request("POST", "/v1/sign", auth=basic(app), content_type=MULTIPART, body=b"")
    )


@provokes(50007)
def _invalid_body(server: Server, app: Key) -> Response:
    return raw.create(server, app, part("remark", "a form without a sign"))


@provokes(50008)
def _no_sms_service(server: Server, app: Key) -> Response:
    async def close(stores: Any) -> None:
        found = await app_rows.get(stores.db.read, app.app_key)
        await app_actions.set_open(stores.db, app=found, sms_open=False, actor="test:operator", now=1)

    server.do(close)
    return raw.query(server, app, 1)


@provokes(50009)
def _out_of_freq(server: Server, app: Key) -> Response:
    for _ in range(10):  # the default of auth_failures
        assert _auth_failed(server, app).code == 50002
    return _auth_failed(server, app)


@provokes(50016)
def _api_not_found(server: Server, app: Key) -> Response:
    return raw.send(server, raw.request("GET", "/v1/signatures", auth=basic(app)))


@provokes(50017)
def _media_not_supported(server: Server, app: Key) -> Response:
    return raw.send(
        server,
        raw.request("POST", "/v1/sign", auth=basic(app), content_type="application/json", body=b"{}"),
    )


@provokes(50018)
def _method_not_supported(server: Server, app: Key) -> Response:
    return raw.send(server, raw.request("PATCH", "/v1/sign/1", auth=basic(app)))


@provokes(50101)
def _invalid_image(server: Server, app: Key) -> Response:
    return raw.create(server, app, part("sign", raw.SIGN), part("image0", "no image", filename="a.png"))


@provokes(50102)
def _invalid_sign_id(server: Server, app: Key) -> Response:
    return raw.query(server, app, 2**31 - 1)


@provokes(50103)
def _other_in_audit(server: Server, app: Key) -> Response:
    assert raw.create(server, app).status == 200
    return raw.create(server, app)


@provokes(50104)
def _invalid_signature(server: Server, app: Key) -> Response:
    return raw.create(server, app, part("sign", "【极光】"))


@provokes(50105)
def _in_use(server: Server, app: Key) -> Response:
    sign_id = raw.create(server, app).sign_id
    server.decide(sign_id, passed=True)
    return raw.delete(server, app, sign_id)


# 50019 needs a server with a broken database, see below.
# The codes of added calls are in the tests of those calls.
ELSEWHERE = {50019, 51001, 51002, 51003, 51004, 51005}


def test_every_code_is_provoked_except_those_of_templates() -> None:
    covered = set(PROVOKED) | ELSEWHERE | {int(code) for code in TEMPLATE_CODES}
    assert {int(code) for code in Code} == covered


def test_the_codes_are_the_published_ones_and_those_marked_as_added() -> None:
    codes = {int(code): (STATUS[code], code.message) for code in Code}
    assert codes == PUBLISHED | ADDED
    assert {int(code) for code in Code if "added by smsign" in code.about} == set(ADDED)


def test_the_codes_of_templates_are_marked_as_such() -> None:
    assert {int(code) for code in TEMPLATE_CODES} == {50013, 50025}
    for code in TEMPLATE_CODES:
        assert "templates only" in code.about


@pytest.mark.parametrize("code", sorted(PROVOKED))
def test_each_code_has_its_status_message_and_details(server: Server, app: Key, code: int) -> None:
    response = PROVOKED[code](server, app)
    status, message = (PUBLISHED | ADDED)[code]
    assert response.status == status
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    assert int(response.headers["content-length"]) == len(response.body)
    if code == 50000:
        assert list(response.json()) == ["sign_id"]
    else:
        check_error(response, code, message)


def check_error(response: Response, code: int, message: str) -> None:
    """Assert the keys of an error: the two published ones first, then the details."""
    body = response.json()
    assert list(body) == ["error"]
    assert list(body["error"]) == ["code", "message", "details"]
    assert (body["error"]["code"], body["error"]["message"]) == (code, message)
    assert body["error"]["details"]
    for detail in body["error"]["details"]:
        assert list(detail) == ["field", "reason", "hint"]
        assert all(isinstance(text, str) and text for text in detail.values())


@pytest.mark.parametrize("table", ["signature", "app"])
def test_a_broken_database_is_50019_with_a_request_id_that_is_in_the_log(
    start: Callable[..., Server], table: str
) -> None:
    server = start()
    app = server.make_app()
    assert raw.create(server, app).status == 200

    async def rename(stores: Any) -> None:
        async def change(tx: Any) -> None:
            await tx.run(f"ALTER TABLE {table} RENAME TO gone")

        await stores.db.write(change)

    server.do(rename)
    for response in (raw.query(server, app, 1), raw.create(server, app)):
        assert response.status == 500
        check_error(response, 50019, "server error")
        request_id = response.headers["x-request-id"]
        assert request_id in response.details[0]["reason"]
        logged = [line for line in server.log.read_text().splitlines() if request_id in line]
        errors = [json.loads(line) for line in logged if '"level":"error"' in line]
        assert [error["request_id"] for error in errors] == [request_id]
        assert "Traceback" in errors[0]["error"]
        assert "gone" not in response.body.decode()
        assert "SQL" not in response.body.decode()


@pytest.mark.process
def test_a_corrupt_database_file_is_50019(start_plain: Callable[..., Server]) -> None:
    server = start_plain()
    app = server.make_app()
    for name in ("smsign.db", "smsign.db-wal"):
        (server.data / name).write_bytes(b"\0" * 100_000)
    response = raw.create(server, app)
    assert (response.status, response.code) == (500, 50019)


def test_405_has_allow_with_the_methods_of_the_path(server: Server, reader: Key) -> None:
    for path, allowed in (
        ("/v1/sign", {"POST"}),
        ("/v1/sign/1", {"GET", "PUT", "POST", "DELETE"}),
        ("/healthz", {"GET"}),
    ):
        for method in ("PATCH", "OPTIONS", "TRACE", "PROPFIND"):
            response = raw.send(server, raw.request(method, path, auth=basic(reader)))
            assert response.status == 405
            assert {"HEAD"} | set(response.headers["allow"].split(", ")) == {"HEAD"} | allowed


def test_401_has_www_authenticate(server: Server) -> None:
    response = raw.query(server, Key("0" * 24, "0" * 24), 1)
    assert response.status == 401
    assert response.headers["www-authenticate"].startswith('Basic realm="')


def test_429_has_retry_after(server: Server, app: Key) -> None:
    response = _out_of_freq(server, app)
    assert response.status == 429
    assert 0 < int(response.headers["retry-after"]) <= 60


@pytest.mark.parametrize("given", ["a", "7f3c-41.x_Y", "z" * 64])
def test_a_valid_request_id_is_returned(server: Server, given: str) -> None:
    unique = (given + secrets.token_hex(4))[-64:]
    response = raw.send(server, raw.request("GET", "/nowhere", head=f"X-Request-Id: {unique}\r\n"))
    assert response.headers["x-request-id"] == unique


@pytest.mark.parametrize("given", ["", "z" * 65, "a b", "a\tb", 'a"b', "\xe6", "../../etc", "a;b"])
def test_an_invalid_request_id_is_replaced(server: Server, given: str) -> None:
    response = raw.send(server, raw.request("GET", "/nowhere", head=f"X-Request-Id: {given}\r\n"))
    assert response.headers["x-request-id"] != given
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", response.headers["x-request-id"])


def test_request_ids_are_unique(server: Server) -> None:
    ids = [raw.send(server, raw.request("GET", "/healthz")).headers["x-request-id"] for _ in range(20)]
    assert len(set(ids)) == 20
