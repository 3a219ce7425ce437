"""What is sent again, and what never is: against a real socket that misbehaves as scripted."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from smsign.client import (
    ApiNotFound,
    AuthFailed,
    BadAnswer,
    Client,
    InUse,
    InvalidSignId,
    NoConnection,
    OtherInAudit,
    ServerError,
    SmsignApiError,
    TooManySubmissions,
    steps,
)
from tests.client.conftest import Script, Service, answer

pytestmark = pytest.mark.process

Misbehave = Callable[[Script], Service]
Connect = Callable[..., Client]

CREATED = answer(200, '{"sign_id": 7}')
UNKNOWN = answer(403, '{"error": {"code": 50102, "message": "invalid sign id"}}')


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "BACKOFF_S", 0.02)


@pytest.mark.parametrize(
    "failure",
    [
        None,
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
        b"what is this?\r\n\r\n",
        answer(502, "<html>bad gateway</html>"),
        answer(500, '{"error": {"code": 50019, "message": "server error"}}'),
        answer(429, "", "Retry-After: 0"),
        answer(200, '{"sign_id": 7}', "Content-Encoding: gzip"),
    ],
    ids=["closed", "cut-off", "no-http", "502", "500", "429", "no-gzip"],
)
def test_a_create_is_sent_again_whole_and_under_the_same_key(
    misbehave: Misbehave, connect: Connect, failure: bytes | None, tmp_path: Path
) -> None:
    service = misbehave(lambda number, _: failure if number < 2 else CREATED)
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


def test_two_creates_have_two_keys_unless_one_is_given(misbehave: Misbehave, connect: Connect) -> None:
    service = misbehave(lambda *_: CREATED)
    client = connect(service.url)
    client.create_sign("极光推送")
    client.modify_sign(7, "极光推送")
    client.create_sign("极光推送", idempotency_key="row-1")
    keys = [service.header(number, "idempotency-key") for number in range(3)]
    assert len(set(keys)) == 3
    assert keys[2] == "row-1"


def test_a_refusal_is_final(misbehave: Misbehave, connect: Connect) -> None:
    service = misbehave(lambda *_: answer(401, '{"error": {"code": 50002, "message": "auth failed"}}'))
    with pytest.raises(AuthFailed, match=r"^50002 auth failed$"):
        connect(service.url).create_sign("极光推送")
    assert len(service.requests) == 1


def test_the_retries_end_and_the_last_failure_is_raised(misbehave: Misbehave, connect: Connect) -> None:
    service = misbehave(lambda *_: answer(500, '{"error": {"code": 50019, "message": "server error"}}'))
    with pytest.raises(ServerError):
        connect(service.url, retries=2).get_sign(7)
    assert len(service.requests) == 3
    silent = misbehave(lambda *_: None)
    with pytest.raises(NoConnection) as none:
        connect(silent.url, retries=2).get_sign(7)
    assert none.value.maybe_done
    assert len(silent.requests) == 3


def test_what_would_do_twice_as_much_twice_is_not_sent_again(misbehave: Misbehave, connect: Connect) -> None:
    for failure in (None, answer(503)):
        service = misbehave(lambda *_, failure=failure: failure)
        with pytest.raises((NoConnection, SmsignApiError)):
            connect(service.url).withdraw_sign(7)
        assert len(service.requests) == 1


def test_retry_after_is_kept(misbehave: Misbehave, connect: Connect) -> None:
    limit = answer(429, "", "Retry-After: 1")
    service = misbehave(lambda number, _: CREATED if number else limit)
    started = time.monotonic()
    connect(service.url).create_sign("极光推送")
    assert 0.9 < time.monotonic() - started < 6


def test_retry_after_may_be_a_date(misbehave: Misbehave, connect: Connect) -> None:
    late = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    for asked, at_least in ((late, 7190), ("Tue, 24 Nov 2026 00:00:00 GMT", 0), ("soon", None)):
        service = misbehave(lambda *_, asked=asked: answer(429, "", f"Retry-After: {asked}"))
        with pytest.raises(SmsignApiError) as limited:
            connect(service.url, retries=0).get_sign(7)
        told = limited.value.retry_after_s
        assert told is None if at_least is None else told is not None and at_least <= told <= 7200


def test_a_wait_until_tomorrow_is_the_callers(misbehave: Misbehave, connect: Connect) -> None:
    body = '{"error": {"code": 51003, "message": "too many submissions"}}'
    service = misbehave(lambda *_: answer(429, body, "Retry-After: 40000"))
    with pytest.raises(TooManySubmissions) as late:
        connect(service.url).create_sign("极光推送")
    assert late.value.retry_after_s == 40000
    assert len(service.requests) == 1


def test_a_delete_whose_first_answer_was_lost_has_deleted(misbehave: Misbehave, connect: Connect) -> None:
    lost = misbehave(lambda number, _: UNKNOWN if number else None)
    connect(lost.url).delete_sign(7)
    assert len(lost.requests) == 2
    with pytest.raises(InvalidSignId):
        connect(misbehave(lambda *_: UNKNOWN).url).delete_sign(7)


def test_a_refusal_after_a_lost_answer_says_so(misbehave: Misbehave, connect: Connect) -> None:
    waiting = answer(403, '{"error": {"code": 50103, "message": "other signatures in the audit"}}')
    service = misbehave(lambda number, _: waiting if number else None)
    with pytest.raises(OtherInAudit, match="may have been carried out") as refused:
        connect(service.url).create_sign("极光推送")
    assert refused.value.maybe_done


def test_answers_of_another_service_are_told_apart(misbehave: Misbehave, connect: Connect) -> None:
    page = misbehave(lambda *_: answer(404, "<h1>Not here</h1>"))
    with pytest.raises(SmsignApiError, match=r"HTTP 404: no JSON of this API: '<h1>Not here") as none:
        connect(page.url).get_sign(7)
    assert (none.value.code, none.value.details) == (0, ())
    moved = misbehave(lambda *_: answer(301, "", "Location: https://elsewhere.example/"))
    with pytest.raises(SmsignApiError, match="redirected to https://elsewhere"):
        connect(moved.url).get_sign(7)
    other = misbehave(lambda *_: answer(200, '{"hello": "world"}'))
    with pytest.raises(BadAnswer, match="is the base URL right"):
        connect(other.url).get_sign(7)
    later = misbehave(lambda *_: answer(418, '{"error": {"code": 59999, "message": "new"}}'))
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
def test_a_page_with_the_status_of_success_is_not_taken_for_it(
    misbehave: Misbehave, connect: Connect, ask: Callable[[Client], None]
) -> None:
    page = misbehave(lambda *_: answer(200, "<h1>Welcome</h1>", "Content-Type: text/html"))
    with pytest.raises(BadAnswer, match="is the base URL right"):
        ask(connect(page.url))


def test_a_refusal_with_the_status_of_success_is_one(misbehave: Misbehave, connect: Connect) -> None:
    service = misbehave(lambda *_: answer(200, '{"error": {"code": 50105, "message": "in use"}}'))
    with pytest.raises(InUse):
        connect(service.url).delete_sign(7)


def test_the_vendors_own_answers_are_enough(misbehave: Misbehave, connect: Connect) -> None:
    """The contract's four keys and errors without details, as the vendor documents them."""

    def vendor(_: int, request: bytes) -> bytes:
        line = request.split(b"\r\n", 1)[0]
        if line.startswith(b"GET /v1/sign/"):
            return answer(200, '{"sign_id":7,"sign":"极光推送","status":2,"use_status":0}')
        if line.startswith(b"DELETE"):
            return answer(200)
        if line.startswith(b"POST /v1/sign"):
            return CREATED
        return answer(404, '{"error":{"code":50016,"message":"api not found"}}')

    client = connect(misbehave(vendor).url + "/v1")
    assert client.create_sign("极光推送", images=[b"x"], type=1) == 7
    assert client.modify_sign(7, "极光推送") == 7
    sign = client.wait_until_decided(7)
    assert (sign.refused, sign.in_use, sign.refuse_reason, sign.version) == (True, False, None, None)
    client.delete_sign(7)
    with pytest.raises(ApiNotFound):
        list(client.iter_signs())


def test_a_file_that_shrinks_while_it_is_sent_is_an_error_not_a_short_image(
    misbehave: Misbehave, connect: Connect
) -> None:
    class Shrinking(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(size) if self.tell() < 1000 else b""

    service = misbehave(lambda *_: CREATED)
    with pytest.raises(OSError, match="became shorter"):
        connect(service.url, retries=0).create_sign("极光推送", images=[Shrinking(b"x" * 200_000)])
