"""Retries, backoff and error responses, against a scripted service on a real socket."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from smsign.client import (
    ApiConnectionError,
    ApiNotFound,
    AuthFailed,
    Client,
    InUse,
    InvalidResponse,
    InvalidSignId,
    OtherInAudit,
    ServerError,
    SmsignApiError,
    TooManySubmissions,
    retry,
)
from tests.client.conftest import FakeService, Script, response

pytestmark = pytest.mark.process

Fake = Callable[[Script], FakeService]
Connect = Callable[..., Client]

CREATED = response(200, '{"sign_id": 7}')
UNKNOWN = response(403, '{"error": {"code": 50102, "message": "invalid sign id"}}')


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BACKOFF_S", 0.02)


@pytest.mark.parametrize(
    "failure",
    [
        None,
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
        b"what is this?\r\n\r\n",
        response(502, "<html>bad gateway</html>"),
        response(500, '{"error": {"code": 50019, "message": "server error"}}'),
        response(429, "", "Retry-After: 0"),
        response(200, '{"sign_id": 7}', "Content-Encoding: gzip"),
    ],
    ids=["closed", "cut-off", "no-http", "502", "500", "429", "no-gzip"],
)
def test_a_create_is_retried_with_the_same_body_and_idempotency_key(
    fake_service: Fake, connect: Connect, failure: bytes | None, tmp_path: Path
) -> None:
    service = fake_service(lambda number, _: failure if number < 2 else CREATED)
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG" + b"x" * 200_000)
    file = io.BytesIO(b"....\xff\xd8\xff" + b"y" * 100_000)
    file.seek(4)
    assert connect(service.url).create_sign("极光推送", images=[path, file, b"z"], remark="官网") == 7
    bodies = {service.body(number) for number in range(3)}
    assert len(bodies) == 1
    [body] = bodies
    assert path.read_bytes() in body
    assert file.getvalue()[4:] in body
    assert b'name="image0"; filename="image0.png"\r\nContent-Type: image/png' in body
    keys = {service.header(number, "idempotency-key") for number in range(3)}
    assert len(keys) == 1
    assert len(keys.pop()) == 32


def test_each_create_has_its_own_idempotency_key(fake_service: Fake, connect: Connect) -> None:
    service = fake_service(lambda *_: CREATED)
    client = connect(service.url)
    client.create_sign("极光推送")
    client.modify_sign(7, "极光推送")
    client.create_sign("极光推送", idempotency_key="row-1")
    keys = [service.header(number, "idempotency-key") for number in range(3)]
    assert len(set(keys)) == 3
    assert keys[2] == "row-1"


def test_an_error_response_is_not_retried(fake_service: Fake, connect: Connect) -> None:
    service = fake_service(lambda *_: response(401, '{"error": {"code": 50002, "message": "auth failed"}}'))
    with pytest.raises(AuthFailed, match=r"^50002 auth failed$"):
        connect(service.url).create_sign("极光推送")
    assert len(service.requests) == 1


def test_the_last_error_is_raised_after_all_retries(fake_service: Fake, connect: Connect) -> None:
    service = fake_service(lambda *_: response(500, '{"error": {"code": 50019, "message": "server error"}}'))
    with pytest.raises(ServerError):
        connect(service.url, retries=2).get_sign(7)
    assert len(service.requests) == 3
    silent = fake_service(lambda *_: None)
    with pytest.raises(ApiConnectionError) as none:
        connect(silent.url, retries=2).get_sign(7)
    assert none.value.may_have_succeeded
    assert len(silent.requests) == 3


def test_a_request_that_is_not_idempotent_is_not_retried(fake_service: Fake, connect: Connect) -> None:
    for failure in (None, response(503)):
        service = fake_service(lambda *_, failure=failure: failure)
        with pytest.raises((ApiConnectionError, SmsignApiError)):
            connect(service.url).withdraw_sign(7)
        assert len(service.requests) == 1


def test_a_retry_waits_for_retry_after(fake_service: Fake, connect: Connect) -> None:
    limit = response(429, "", "Retry-After: 1")
    service = fake_service(lambda number, _: CREATED if number else limit)
    started = time.monotonic()
    connect(service.url).create_sign("极光推送")
    assert 0.9 < time.monotonic() - started < 6


def test_retry_after_may_be_a_date(fake_service: Fake, connect: Connect) -> None:
    late = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    for asked, at_least in ((late, 7190), ("Tue, 24 Nov 2026 00:00:00 GMT", 0), ("soon", None)):
        service = fake_service(lambda *_, asked=asked: response(429, "", f"Retry-After: {asked}"))
        with pytest.raises(SmsignApiError) as limited:
            connect(service.url, retries=0).get_sign(7)
        seconds = limited.value.retry_after_s
        assert seconds is None if at_least is None else seconds is not None and at_least <= seconds <= 7200


def test_a_long_retry_after_raises_at_once(fake_service: Fake, connect: Connect) -> None:
    body = '{"error": {"code": 51003, "message": "too many submissions"}}'
    service = fake_service(lambda *_: response(429, body, "Retry-After: 40000"))
    with pytest.raises(TooManySubmissions) as late:
        connect(service.url).create_sign("极光推送")
    assert late.value.retry_after_s == 40000
    assert len(service.requests) == 1


def test_a_delete_whose_first_response_was_lost_succeeds(fake_service: Fake, connect: Connect) -> None:
    lost = fake_service(lambda number, _: UNKNOWN if number else None)
    connect(lost.url).delete_sign(7)
    assert len(lost.requests) == 2
    with pytest.raises(InvalidSignId):
        connect(fake_service(lambda *_: UNKNOWN).url).delete_sign(7)


def test_an_error_after_a_lost_response_may_have_succeeded(fake_service: Fake, connect: Connect) -> None:
    waiting = response(403, '{"error": {"code": 50103, "message": "other signatures in the audit"}}')
    service = fake_service(lambda number, _: waiting if number else None)
    with pytest.raises(OtherInAudit, match="may have succeeded") as refused:
        connect(service.url).create_sign("极光推送")
    assert refused.value.may_have_succeeded


def test_responses_of_another_service_raise_clear_errors(fake_service: Fake, connect: Connect) -> None:
    page = fake_service(lambda *_: response(404, "<h1>Not here</h1>"))
    with pytest.raises(SmsignApiError, match=r"HTTP 404: no JSON of this API: '<h1>Not here") as none:
        connect(page.url).get_sign(7)
    assert (none.value.code, none.value.details) == (0, ())
    moved = fake_service(lambda *_: response(301, "", "Location: https://elsewhere.example/"))
    with pytest.raises(SmsignApiError, match="redirect to https://elsewhere"):
        connect(moved.url).get_sign(7)
    other = fake_service(lambda *_: response(200, '{"hello": "world"}'))
    with pytest.raises(InvalidResponse, match="is the base URL right"):
        connect(other.url).get_sign(7)
    later = fake_service(lambda *_: response(418, '{"error": {"code": 59999, "message": "new"}}'))
    with pytest.raises(SmsignApiError, match="59999 new") as new:
        connect(later.url).get_sign(7)
    assert type(new.value) is SmsignApiError


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.delete_sign(7),
        lambda client: client.withdraw_sign(7),
        lambda client: client.set_in_use(7),
        lambda client: client.clear_in_use(),
        lambda client: client.delete_callback(7),
        lambda client: client.download_image(7, 1, "image0"),
    ],
    ids=["delete", "withdraw", "use", "clear", "delete-callback", "download"],
)
def test_an_html_page_with_status_200_is_not_a_success(
    fake_service: Fake, connect: Connect, ask: Callable[[Client], None]
) -> None:
    page = fake_service(lambda *_: response(200, "<h1>Welcome</h1>", "Content-Type: text/html"))
    with pytest.raises(InvalidResponse, match="is the base URL right"):
        ask(connect(page.url))


def test_an_error_body_with_status_200_raises(fake_service: Fake, connect: Connect) -> None:
    service = fake_service(lambda *_: response(200, '{"error": {"code": 50105, "message": "in use"}}'))
    with pytest.raises(InUse):
        connect(service.url).delete_sign(7)


def test_the_client_works_with_the_vendors_own_service(fake_service: Fake, connect: Connect) -> None:
    """It has only the contract's four calls, and its errors have no details."""

    def vendor(_: int, request: bytes) -> bytes:
        line = request.split(b"\r\n", 1)[0]
        if line.startswith(b"GET /v1/sign/"):
            return response(200, '{"sign_id":7,"sign":"极光推送","status":2,"use_status":0}')
        if line.startswith(b"DELETE"):
            return response(200)
        if line.startswith(b"POST /v1/sign"):
            return CREATED
        return response(404, '{"error":{"code":50016,"message":"api not found"}}')

    client = connect(fake_service(vendor).url + "/v1")
    assert client.create_sign("极光推送", images=[b"x"], type=1) == 7
    assert client.modify_sign(7, "极光推送") == 7
    sign = client.wait_until_decided(7)
    assert (sign.refused, sign.in_use, sign.refuse_reason, sign.version) == (True, False, None, None)
    client.delete_sign(7)
    with pytest.raises(ApiNotFound):
        list(client.iter_signs())


def test_a_file_truncated_during_the_upload_raises(fake_service: Fake, connect: Connect) -> None:
    class Shrinking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(size) if self.tell() < 1000 else b""

    service = fake_service(lambda *_: CREATED)
    with pytest.raises(OSError, match="truncated"):
        connect(service.url, retries=0).create_sign("极光推送", images=[Shrinking(b"x" * 200_000)])
