"""The details of an error: all problems at once, in the language of Accept-Language."""

from __future__ import annotations

import pytest

from smsign.domain.audits import REASONS
from tests.api import raw
from tests.api.raw import SIGN, part
from tests.images import noise
from tests.running import Key, Server


def test_all_problems_are_reported_at_once(server: Server, reader: Key) -> None:
    response = raw.create(
        server,
        reader,
        part("sign", "一二三四五六七八九 !"),
        part("type", "8"),
        part("remark", "备" * 101),
        part("image0", "text", filename="a.png"),
        part("image2", noise()[:-400], filename="b.png"),
    )
    fields = [detail["field"] for detail in response.details]
    assert response.code == 50007
    assert sorted(fields) == ["image0", "image2", "remark", "sign", "sign", "type"]
    reasons = " ".join(detail["reason"] for detail in response.details)
    assert "11 characters" in reasons
    assert "U+0020" in reasons
    assert "101 characters, at most 100" in reasons


def test_a_field_sent_twice_hides_no_other_problem(server: Server, reader: Key) -> None:
    twice = part("remark", "备注")
    response = raw.create(
        server, reader, part("sign", "a!"), twice, twice, twice, part("type", "8"), part("image0", "text")
    )
    assert response.code == 50007
    details = [(detail["field"], detail["reason"]) for detail in response.details]
    assert details == [
        ("remark", "sent twice"),
        ("type", "not a number from 1 to 7"),
        ("sign", "not allowed: ! U+0021"),
        ("image0", "not a PNG or JPEG"),
    ]


def test_a_text_over_64_kb_is_reported_as_too_long_only(server: Server, reader: Key) -> None:
    """64 KB of it are read, and that may end within a character."""
    for extra in ("", "a", "ab"):
        response = raw.create(server, reader, part("sign", extra + "签" * 30_000))
        assert (response.code, len(response.details)) == (50104, 1)
        assert "characters, 2 to 8 are allowed" in response.details[0]["reason"]
    response = raw.create(server, reader, part("sign", SIGN), part("remark", "备" * 30_000))
    assert [detail["field"] for detail in response.details] == ["remark"]


def test_a_sign_of_any_length_is_50104(server: Server, reader: Key) -> None:
    response = raw.create(server, reader, part("sign", "签" * 2000), part("image0", "text"))
    assert response.code == 50104
    assert {"sign", "image0"} <= {detail["field"] for detail in response.details}


@pytest.mark.parametrize(
    "accepted, expected",
    [
        ("", "en"),
        ("zh", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("en;q=0.5, zh;q=0.9", "zh"),
        ("en ; q=0.1, zh", "zh"),
        ("zh; q=0.1, en; q=0.9", "en"),
        ("zh;q=0", "en"),
        ("zh;q=0.000, fr", "en"),
        ("fr, de", "en"),
        ("*", "en"),
        ("zh;q=x, en", "en"),
        (";;;,,,=", "en"),
        ("ZH-Hans", "zh"),
    ],
)
def test_refuse_reason_follows_accept_language(
    server: Server, app: Key, refused: int, accepted: str, expected: str
) -> None:
    head = f"Accept-Language: {accepted}\r\n" if accepted else ""
    response = raw.query(server, app, refused, head=head).json()
    advice = REASONS["unreadable"].advice
    assert list(response)[-1] == "refuse_reason"
    assert (response["status"], response["use_status"]) == (2, 0)
    assert (advice.zh in response["refuse_reason"]) == (expected == "zh")
    assert (advice.en in response["refuse_reason"]) == (expected == "en")


def test_details_follow_accept_language_and_the_message_does_not(server: Server, reader: Key) -> None:
    bad = part("sign", "太长太长太长太长太长")
    english = raw.create(server, reader, bad)
    chinese = raw.create(server, reader, bad, head="Accept-Language: zh-CN\r\n")
    assert english.json()["error"]["message"] == chinese.json()["error"]["message"] == "invalid signature"
    assert english.details[0]["reason"] == "10 characters, 2 to 8 are allowed"
    assert chinese.details[0]["reason"] == "共 10 个字符，应为 2 至 8 个"
    assert "共" in chinese.body.decode()


def test_refuse_reason_has_all_reasons_and_the_note(server: Server, app: Key) -> None:
    sign_id = raw.create(server, app).sign_id
    server.decide(sign_id, passed=False, reasons=tuple(REASONS), note="“引号”\\ 与\t换行")
    reason = raw.query(server, app, sign_id).json()["refuse_reason"]
    assert all(each.title.en in reason for each in REASONS.values())
    assert reason.endswith("“引号”\\ 与\t换行")
