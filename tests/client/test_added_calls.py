"""The calls that smsign adds to the contract, through both clients, on both engines."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from smsign.client import (
    ApiNotFound,
    Client,
    InvalidParameter,
    InvalidSignId,
    KeyReused,
    OtherInAudit,
    Status,
    TooManySubmissions,
)
from tests.images import noise
from tests.running import Key, Server

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def many(server: Server) -> Key:
    """A test application with 120 signatures, every third refused."""
    made = server.json("app", "create", f"many-{time.time_ns()}", "--test")
    key = Key(made["app_key"], made["master_secret"])
    with Client(server.url, *key.auth) as client:
        for number in range(120):
            client.create_sign("测试模糊" if number % 3 == 0 else f"签名{number:03}")
    return key


def test_iter_signs_fetches_all_pages(server: Server, many: Key, connect: Callable[..., Client]) -> None:
    client = connect(server.url, many)
    everything = list(client.iter_signs())
    assert len(everything) == len({each.sign_id for each in everything}) == 120
    assert [each.sign_id for each in everything] == sorted(
        (each.sign_id for each in everything), reverse=True
    )
    first = client.list_signs(limit=50)
    second = client.list_signs(limit=50, cursor=first.next)
    third = client.list_signs(limit=50, cursor=second.next)
    assert [*first.items, *second.items, *third.items] == everything
    assert third.next is None


def test_lists_are_filtered(server: Server, many: Key, connect: Callable[..., Client]) -> None:
    client = connect(server.url, many)
    assert len(list(client.iter_signs(status=Status.REFUSED))) == 40
    assert {each.sign for each in client.iter_signs(status=Status.REFUSED)} == {"测试模糊"}
    assert [each.sign for each in client.iter_signs(use_status=1)] == ["签名119"]
    assert [each.sign for each in client.iter_signs(sign="签名001")] == ["签名001"]
    assert len(list(client.iter_signs(prefix="签名00"))) == 6
    oldest, newest = list(client.iter_signs())[-1], client.list_signs(limit=1).items[0]
    assert oldest.created_at is not None
    assert newest.created_at is not None
    since = list(
        client.iter_signs(since=newest.created_at.astimezone(), until=newest.created_at + timedelta(1))
    )
    assert since == [newest]
    assert list(client.iter_signs(until=oldest.created_at)) == []
    with pytest.raises(InvalidParameter) as wrong:
        client.list_signs(limit=1000, cursor="!", status=7)
    assert {each.field for each in wrong.value.details} == {"limit", "cursor", "status"}
    with pytest.raises(ValueError, match="since: a time without a zone"):
        client.list_signs(since=datetime.now())


def test_describe_sign_returns_versions_reasons_and_timeline(server: Server, client: Client) -> None:
    sign_id = client.create_sign("极光推送", images={"idCardImage": noise()}, remark="官网", type=2)
    server.decide(sign_id, passed=False, reasons=("unreadable:idCardImage", "name_mismatch"), note="第二页")
    client.modify_sign(sign_id, "修改的签名")
    described = client.describe_sign(sign_id)
    assert (described.sign, described.in_audit, described.version) == ("修改的签名", True, 2)
    first, second = described.versions
    assert (first.sign, first.fields) == ("极光推送", {"remark": "官网", "type": "2"})
    [image] = first.images
    assert (image.slot, image.type, image.size_bytes) == ("idCardImage", "png", len(noise()))
    assert first.decision is not None
    assert not first.decision.passed
    assert {each.code: each.field for each in first.decision.reasons}["unreadable"] == "idCardImage"
    assert all(each.title and each.advice for each in first.decision.reasons)
    assert second.decision is None
    assert [each.actor for each in described.timeline] == ["app", "auditor", "app"]
    assert [each.seq for each in described.timeline] == [1, 2, 3]
    assert abs(datetime.now(UTC) - described.timeline[0].at) < timedelta(minutes=5)
    assert client.download_image(sign_id, 1, "idCardImage") == noise()
    with pytest.raises(ApiNotFound):
        client.download_image(sign_id, 2, "image3")
    with pytest.raises(InvalidSignId):
        client.describe_sign(sign_id + 1_000_000)


def test_check_sign_returns_all_errors_and_stores_nothing(client: Client) -> None:
    assert client.check_sign("极光推送", images=[noise()]).ok
    wrong = client.check_sign("【坏】", images=[b"x"], remark="x" * 101)
    assert not wrong.ok
    assert {each.field: each.code for each in wrong.problems} == {
        "sign": 50104,
        "image0": 50101,
        "remark": 50007,
    }
    sign_id = client.create_sign("极光推送")
    assert 50103 in {each.code for each in client.check_sign("另外的").problems}
    assert client.get_sign(sign_id).sign == "极光推送"
    assert not client.check_sign("另外的", sign_id=sign_id + 1_000_000).ok


def test_a_signature_in_the_audit_is_withdrawn_and_resubmitted(client: Client) -> None:
    sign_id = client.create_sign("极光推送")
    client.withdraw_sign(sign_id)
    assert not client.get_sign(sign_id).in_audit
    with pytest.raises(InvalidSignId):
        client.withdraw_sign(sign_id)
    client.modify_sign(sign_id, "极光推送")
    assert client.get_sign(sign_id).in_audit


def test_the_signature_in_use_is_read_replaced_and_cleared(server: Server, client: Client) -> None:
    assert client.get_in_use() is None
    first = client.create_sign("第一")
    server.decide(first, passed=True)
    second = client.create_sign("第二")
    server.decide(second, passed=True)
    used = client.get_in_use()
    assert used is not None
    assert (used.sign_id, used.in_use) == (second, True)
    client.set_in_use(first)
    assert client.get_sign(first).in_use
    client.clear_in_use()
    assert client.get_in_use() is None
    with pytest.raises(InvalidSignId):
        client.set_in_use(first + 1_000_000)


def test_get_app_returns_the_limits_of_the_application(server: Server, app: Key, client: Client) -> None:
    found = client.get_app()
    assert (found.app_key, found.sms_open, found.test) == (app.app_key, True, False)
    assert server.run("app", "limit", app.app_key, "1").returncode == 0
    sign_id = client.create_sign("极光推送", idempotency_key="only")
    assert (client.get_app().submissions_a_day, client.get_app().submitted_today) == (1, 1)
    client.delete_sign(sign_id)
    with pytest.raises(TooManySubmissions) as late:
        client.create_sign("另外的")
    assert late.value.retry_after_s is not None
    assert 0 < late.value.retry_after_s <= 86_400


def test_an_idempotency_key_belongs_to_one_submission(client: Client) -> None:
    first = client.create_sign("极光推送", images=[noise()], idempotency_key="row-1!")
    assert client.create_sign("极光推送", images=[noise()], idempotency_key="row-1!") == first
    with pytest.raises(KeyReused):
        client.create_sign("另外的", idempotency_key="row-1!")
    with pytest.raises(OtherInAudit):
        client.create_sign("另外的")
    for malformed in ("x" * 256, "row 1", "行", "a\nb"):
        with pytest.raises(ValueError, match="idempotency_key"):
            client.create_sign("另外的", idempotency_key=malformed)


def test_a_test_application_decides_every_content_as_documented(
    server: Server, connect: Callable[..., Client]
) -> None:
    made = server.json("app", "create", f"ci-{time.time_ns()}", "--test", "--delay-ms", "20")
    client = connect(server.url, Key(made["app_key"], made["master_secret"]))
    refusals = {
        "测试名称": "name_mismatch",
        "测试来源": "wrong_source",
        "测试宽泛": "too_generic",
        "测试商标": "not_registered",
        "测试模糊": "unreadable",
        "测试授权": "third_party",
        "测试行业": "trade",
        "测试格式": "format",
    }
    started = time.monotonic()
    for content, code in refusals.items():
        sign_id = client.create_sign(content)
        assert client.wait_until_decided(sign_id, timeout_s=5).refused
        decision = client.describe_sign(sign_id).versions[0].decision
        assert decision is not None
        assert [each.code for each in decision.reasons] == [code]
    sign_id = client.create_sign("测试通过")
    assert client.wait_until_decided(sign_id, timeout_s=5).passed
    pending = client.create_sign("测试待审")
    assert client.get_sign(pending).in_audit
    client.withdraw_sign(pending)
    assert time.monotonic() - started < 4  # about 1.2 s on an idle machine
