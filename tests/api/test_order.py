"""Which error comes first when several apply, and what each response says (wire.md, The order of errors)."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from smsign.actions import apps as app_actions
from smsign.domain.audits import REASONS
from smsign.storage.rows import apps as app_rows
from tests.api import raw
from tests.api.raw import MULTIPART, SIGN, Answer, basic, form, part
from tests.images import noise
from tests.running import Key, Server


class World(msgspec.Struct):
    """Applications in the states that the faults need, shared by all pairs."""

    refused: Key
    """Has a refused signature and nothing in the audit: modifying it would work."""
    refused_id: int
    waiting: Key
    """Has a refused signature, and another in the audit."""
    waiting_id: int
    passed: Key
    passed_id: int
    closed: Key


class Draft(msgspec.Struct):
    """A request that would succeed, until a fault is put in."""

    method: str
    path: str
    auth: str | None
    content_type: str | None
    parts: list[bytes] | None


@pytest.fixture(scope="module")
def world(server: Server) -> World:
    refused, waiting, passed, closed = server.make_apps(4)
    ids = []
    for key, verdict in ((refused, False), (waiting, False), (passed, True)):
        ids.append(raw.create(server, key).sign_id)
        server.decide(ids[-1], passed=verdict)
    assert raw.create(server, waiting).status == 200

    async def close(stores: Any) -> None:
        found = await app_rows.get(stores.db.read, closed.app_key)
        await app_actions.set_open(stores.db, app=found, sms_open=False, actor="test:operator", now=1)

    server.do(close)
    return World(refused, ids[0], waiting, ids[1], passed, ids[2], closed)


def _unknown_path(world: World, draft: Draft) -> None:
    draft.path = "/v1/signatures/1"


def _unknown_method(world: World, draft: Draft) -> None:
    draft.method = "PATCH"


def _no_auth(world: World, draft: Draft) -> None:
    draft.auth = None


def _wrong_auth(world: World, draft: Draft) -> None:
    draft.auth = basic(Key(secrets.token_hex(12), "0" * 24))


def _closed_app(world: World, draft: Draft) -> None:
    draft.auth = basic(world.closed)


def _unknown_id(world: World, draft: Draft) -> None:
    draft.path = "/v1/sign/0"


def _empty_body(world: World, draft: Draft) -> None:
    draft.parts = None


def _media_type(world: World, draft: Draft) -> None:
    draft.content_type = "application/json"


def _unreadable(world: World, draft: Draft) -> None:
    draft.content_type = "multipart/form-data; boundary=another"


def _no_sign(world: World, draft: Draft) -> None:
    draft.parts = [each for each in draft.parts or [] if b'name="sign"' not in each] + [part("x", "y")]


def _bad_content(world: World, draft: Draft) -> None:
    draft.parts = [each for each in draft.parts or [] if b'name="sign"' not in each] + [part("sign", "a!")]


def _bad_image(world: World, draft: Draft) -> None:
    draft.parts = [*(draft.parts or []), part("image0", "text", filename="a.png")]


def _in_audit(world: World, draft: Draft) -> None:
    draft.path, draft.auth = f"/v1/sign/{world.waiting_id}", basic(world.waiting)


def _has_passed(world: World, draft: Draft) -> None:
    draft.path, draft.auth = f"/v1/sign/{world.passed_id}", basic(world.passed)


Fault = Callable[[World, Draft], None]
FAULTS: list[tuple[int, Fault]] = [
    (50016, _unknown_path),
    (50018, _unknown_method),
    (50001, _no_auth),
    (50002, _wrong_auth),
    (50008, _closed_app),
    (50102, _unknown_id),
    (50003, _empty_body),
    (50017, _media_type),
    (50007, _unreadable),
    (50007, _no_sign),
    (50104, _bad_content),
    (50101, _bad_image),
    (50103, _in_audit),
    (50102, _has_passed),
]
"""In wire.md's order. The later fault is put in first, so that the earlier one has the last word."""


def _answer(server: Server, world: World, *faults: Fault) -> Answer:
    draft = Draft(
        "PUT", f"/v1/sign/{world.refused_id}", basic(world.refused), MULTIPART, [part("sign", SIGN)]
    )
    for fault in faults:
        fault(world, draft)
    return raw.send(
        server,
        raw.request(
            draft.method,
            draft.path,
            auth=draft.auth,
            content_type=draft.content_type,
            body=form(*draft.parts) if draft.parts is not None else b"",
        ),
    )


@pytest.mark.parametrize("code, fault", FAULTS, ids=lambda value: getattr(value, "__name__", None))
def test_each_fault_alone_has_its_own_answer(server: Server, world: World, code: int, fault: Fault) -> None:
    assert _answer(server, world, fault).code == code


@pytest.mark.parametrize(
    "earlier, later",
    list(itertools.combinations(FAULTS, 2)),
    ids=lambda fault: fault[1].__name__.strip("_"),
)
def test_of_two_faults_the_earlier_decides(
    server: Server, world: World, earlier: tuple[int, Fault], later: tuple[int, Fault]
) -> None:
    assert _answer(server, world, later[1], earlier[1]).code == earlier[0]


def test_a_body_far_too_large_is_refused_after_its_media_type(server: Server, reader: Key) -> None:
    head = "Content-Length: 10000000000\r\n"
    data = raw.request("POST", "/v1/sign", auth=basic(reader), content_type="application/json", head=head)
    assert raw.send(server, data).code == 50017


def test_one_that_passed_cannot_be_modified_and_says_so_only_when_none_is_in_the_audit(
    server: Server, app: Key
) -> None:
    passed = raw.create(server, app).sign_id
    server.decide(passed, passed=True)
    assert raw.modify(server, app, passed).code == 50102
    waiting = raw.create(server, app).sign_id
    assert raw.modify(server, app, passed).code == 50103
    assert raw.modify(server, app, waiting).code == 50103
    assert raw.create(server, app).code == 50103


def test_the_answer_names_the_signature_in_the_audit(server: Server, app: Key) -> None:
    waiting = raw.create(server, app).sign_id
    (detail,) = raw.create(server, app).details
    assert str(waiting) in detail["reason"]


def test_everything_that_is_wrong_is_said_at_once(server: Server, reader: Key) -> None:
    answer = raw.create(
        server,
        reader,
        part("sign", "一二三四五六七八九 !"),
        part("type", "8"),
        part("remark", "备" * 101),
        part("image0", "text", filename="a.png"),
        part("image2", noise()[:-400], filename="b.png"),
    )
    fields = [detail["field"] for detail in answer.details]
    assert answer.code == 50007
    assert sorted(fields) == ["image0", "image2", "remark", "sign", "sign", "type"]
    reasons = " ".join(detail["reason"] for detail in answer.details)
    assert "11 characters" in reasons
    assert "U+0020" in reasons
    assert "101 characters, at most 100" in reasons


def test_a_field_sent_twice_hides_nothing_else_that_is_wrong(server: Server, reader: Key) -> None:
    twice = part("remark", "备注")
    answer = raw.create(
        server, reader, part("sign", "a!"), twice, twice, twice, part("type", "8"), part("image0", "text")
    )
    assert answer.code == 50007
    reported = [(detail["field"], detail["reason"]) for detail in answer.details]
    assert reported == [
        ("remark", "sent twice"),
        ("type", "not a number from 1 to 7"),
        ("sign", "not allowed: ! U+0021"),
        ("image0", "not a PNG or JPEG"),
    ]


def test_a_text_far_too_long_is_said_to_be_long_and_nothing_else(server: Server, reader: Key) -> None:
    """No more than 64 KB of it are kept, and the cut may go through a character."""
    for extra in ("", "a", "ab"):
        answer = raw.create(server, reader, part("sign", extra + "签" * 30_000))
        assert (answer.code, len(answer.details)) == (50104, 1)
        assert "characters, 2 to 8 are allowed" in answer.details[0]["reason"]
    answer = raw.create(server, reader, part("sign", SIGN), part("remark", "备" * 30_000))
    assert [detail["field"] for detail in answer.details] == ["remark"]


def test_a_sign_of_any_length_is_a_matter_of_content(server: Server, reader: Key) -> None:
    answer = raw.create(server, reader, part("sign", "签" * 2000), part("image0", "text"))
    assert answer.code == 50104
    assert {"sign", "image0"} <= {detail["field"] for detail in answer.details}


NO_IDS = [
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
def test_ids_that_name_nothing_of_the_application_get_the_same_bytes(
    server: Server, app: Key, world: World, method: str
) -> None:
    deleted = raw.create(server, app).sign_id
    assert raw.delete(server, app, deleted).status == 200
    own = raw.create(server, app).sign_id
    wrapped = own + 2**32  # the same number in 32 bits
    body = form(part("sign", SIGN)) if method in ("PUT", "POST") else None
    content_type = MULTIPART if body else None
    answers = {}
    for text in [*NO_IDS, str(deleted), str(world.passed_id), str(wrapped)]:
        path = f"/v1/sign/{text.replace('{id}', str(own))}"
        sent = raw.request(method, path, auth=basic(app), content_type=content_type, body=body)
        answer = raw.send(server, sent)
        reported = {
            name: value for name, value in answer.headers.items() if name not in ("date", "x-request-id")
        }
        answers[text] = (answer.status, reported, answer.body)
    first = answers["0"]
    assert first[0] == 403
    assert b'"code":50102' in first[2]
    assert {text for text, answer in answers.items() if answer != first} == set()


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
def test_other_paths_are_unknown_who_asks(server: Server, path: str) -> None:
    assert raw.send(server, raw.request("GET", path)).code == 50016


def test_a_query_string_changes_nothing(server: Server, app: Key) -> None:
    sign_id = raw.create(server, app).sign_id
    assert raw.query(server, app, f"{sign_id}?sign_id=1").json()["sign_id"] == sign_id


def test_a_query_is_unescaped_utf_8_in_the_order_of_the_contract(server: Server, app: Key) -> None:
    sign_id = raw.create(server, app).sign_id
    expected = f'{{"sign_id":{sign_id},"sign":"{SIGN}","status":0,"use_status":0,"is_default":0}}'
    answer = raw.query(server, app, sign_id)
    assert answer.headers["content-type"] == "application/json"
    assert answer.body == expected.encode()


def test_create_and_modify_answer_the_id_alone(server: Server, app: Key) -> None:
    created = raw.create(server, app)
    assert created.status == 200
    assert created.body == b'{"sign_id":%d}' % created.sign_id
    for method in ("PUT", "POST"):
        server.decide(created.sign_id, passed=False)
        assert raw.modify(server, app, created.sign_id, method=method).body == created.body


def test_delete_answers_an_empty_body_that_calls_itself_json(server: Server, app: Key) -> None:
    answer = raw.delete(server, app, raw.create(server, app).sign_id)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == "0"
    assert answer.body == b""


def test_deleting_one_in_the_audit_withdraws_it(server: Server, app: Key) -> None:
    first = raw.create(server, app).sign_id
    assert raw.delete(server, app, first).status == 200
    assert raw.delete(server, app, first).code == 50102
    second = raw.create(server, app)
    assert second.status == 200
    assert second.sign_id > first


def test_the_newly_passed_one_replaces_the_one_in_use(server: Server, app: Key) -> None:
    ids = []
    for _ in range(2):
        ids.append(raw.create(server, app).sign_id)
        server.decide(ids[-1], passed=True)
    first, second = (raw.query(server, app, sign_id).json() for sign_id in ids)
    assert (first["status"], first["use_status"], first["is_default"]) == (1, 0, 0)
    assert (second["status"], second["use_status"], second["is_default"]) == (1, 1, 1)
    assert raw.delete(server, app, ids[0]).status == 200
    assert raw.delete(server, app, ids[1]).code == 50105


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
def test_a_refused_one_says_why_in_the_language_asked_for(
    server: Server, world: World, accepted: str, expected: str
) -> None:
    head = f"Accept-Language: {accepted}\r\n" if accepted else ""
    answer = raw.query(server, world.refused, world.refused_id, head=head).json()
    advice = REASONS["unreadable"].advice
    assert list(answer)[-1] == "refuse_reason"
    assert (answer["status"], answer["use_status"]) == (2, 0)
    assert (advice.zh in answer["refuse_reason"]) == (expected == "zh")
    assert (advice.en in answer["refuse_reason"]) == (expected == "en")


def test_details_follow_the_language_asked_for_and_the_message_never_does(
    server: Server, reader: Key
) -> None:
    bad = part("sign", "太长太长太长太长太长")
    english = raw.create(server, reader, bad)
    chinese = raw.create(server, reader, bad, head="Accept-Language: zh-CN\r\n")
    assert english.json()["error"]["message"] == chinese.json()["error"]["message"] == "invalid signature"
    assert english.details[0]["reason"] == "10 characters, 2 to 8 are allowed"
    assert chinese.details[0]["reason"] == "共 10 个字符，应为 2 至 8 个"
    assert "共" in chinese.body.decode()


def test_all_reasons_and_the_note_reach_the_owner(server: Server, app: Key) -> None:
    sign_id = raw.create(server, app).sign_id
    server.decide(sign_id, passed=False, reasons=tuple(REASONS), note="“引号”\\ 与\t换行")
    reported = raw.query(server, app, sign_id).json()["refuse_reason"]
    assert all(reason.title.en in reported for reason in REASONS.values())
    assert reported.endswith("“引号”\\ 与\t换行")
