"""Added calls on signatures: the list, one with its history, its evidence, withdraw, check."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api import raw
from tests.api.api import api, fields, refused, submit
from tests.images import noise
from tests.running import Key, Server

pytestmark = pytest.mark.process

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


@pytest.fixture
def client(server: Server, app: Key) -> Iterator[httpx.Client]:
    with api(server, app) as opened:
        yield opened


@pytest.fixture(scope="module")
def shelf(server: Server) -> tuple[Key, list[int]]:
    """An application with seven signatures: passed, refused, in turn; the last is in the audit."""
    app = server.make_app()
    made = []
    with api(server, app) as client:
        for n in range(7):
            made.append(submit(client, ("签名", "商标", "Ab")[n % 3] + str(n)))
            if n < 6:
                server.decide(made[-1], passed=n % 2 == 0, note="模糊")
    return app, made


def ids(answer: httpx.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [sign["sign_id"] for sign in answer.json()["signs"]]


def test_a_list_is_newest_first_and_bears_what_the_query_says(server: Server, shelf: Any) -> None:
    app, made = shelf
    with api(server, app) as client:
        answer = client.get("/v1/signs")
        assert ids(answer) == made[::-1]
        assert answer.json()["next"] is None
        for sign in answer.json()["signs"]:
            asked = client.get(f"/v1/sign/{sign['sign_id']}").json()
            assert list(asked) == list(sign)[: len(asked)]
            assert asked.items() <= sign.items()
            assert list(sign)[len(asked) :] == ["version", "created_at", "submitted_at"]


@pytest.mark.parametrize(
    "query, wanted",
    [
        ("status=0", [6]),
        ("status=1", [4, 2, 0]),
        ("status=2", [5, 3, 1]),
        ("use_status=1", [4]),
        ("use_status=0", [6, 5, 3, 2, 1, 0]),
        ("use_status=1&status=2", []),
        ("use_status=0&status=1", [2, 0]),
        ("sign=签名3", [3]),
        ("sign=%E7%AD%BE%E5%90%8D3", [3]),
        ("sign=签名", []),
        ("prefix=签名", [6, 3, 0]),
        ("prefix=Ab&status=2", [5]),
        ("prefix=ab", []),
        ("prefix=签名&sign=商标1", []),
        ("prefix=签名&sign=签名6", [6]),
        ("sign=%25", []),
        ("limit=2", [6, 5]),
        ("since=2001-01-01T00:00:00Z", [6, 5, 4, 3, 2, 1, 0]),
        ("since=9999-12-31T23:59:59Z", []),
        ("until=0001-01-01T00:00:00%2B14:00", []),
        ("until=2001-01-01T00:00:00.123456789-05:00", []),
    ],
)
def test_a_list_is_filtered(server: Server, shelf: Any, query: str, wanted: list[int]) -> None:
    app, made = shelf
    with api(server, app) as client:
        assert ids(client.get(f"/v1/signs?{query}")) == [made[n] for n in wanted]


@pytest.mark.parametrize("query", ["", "&status=1", "&prefix=签名", "&use_status=0"])
def test_cursors_walk_the_whole_list_once(server: Server, shelf: Any, query: str) -> None:
    app, _ = shelf
    with api(server, app) as client:
        whole = ids(client.get(f"/v1/signs?limit=100{query}"))
        for limit in (1, 2, 3):
            walked: list[int] = []
            cursor = ""
            while True:
                answer = client.get(f"/v1/signs?limit={limit}{query}{cursor}")
                walked += ids(answer)
                assert len(ids(answer)) <= limit
                if answer.json()["next"] is None:
                    break
                cursor = f"&cursor={answer.json()['next']}"
            assert walked == whole


def test_since_is_inclusive_and_until_exclusive(server: Server, shelf: Any) -> None:
    app, made = shelf
    with api(server, app) as client:
        at = {sign["sign_id"]: sign["created_at"] for sign in client.get("/v1/signs").json()["signs"]}
        asked = {"since": at[made[1]], "until": at[made[4]]}
        assert ids(client.get("/v1/signs", params=asked)) == [made[3], made[2], made[1]]


BAD = {
    "status": ["3", "-1", "x", "", "1.0", "٣", "9" * 400],
    "use_status": ["2", "true"],
    "sign": ["", "x" * 65, "%00", "a%00b"],
    "prefix": ["", "x" * 65, "%00"],
    "since": ["", "now", "2026-11-24", "2026-13-01T00:00:00Z", "2026-11-24T23:15:52", "2026-11-24T24:00:61Z"],
    "until": ["0", "2026-11-24T23:15:52+08:00", "99999-01-01T00:00:00Z"],
    "limit": ["0", "101", "-5", "1e2", "18446744073709551616"],
    "cursor": ["", "x", "1", "1-2-3", "-1-2", "1-G", "1-A", "é", "%00", "٣-٣", "9" * 3000],
    "nonsense": ["", "1"],
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in BAD.items() for value in values])
def test_a_wrong_parameter_is_named(server: Server, reader: Key, name: str, value: str) -> None:
    with api(server, reader) as client:
        assert fields(client.get(f"/v1/signs?{name}={value}"), 51001) == [name]


def test_all_wrong_parameters_are_named_at_once(server: Server, reader: Key) -> None:
    with api(server, reader) as client:
        answer = client.get("/v1/signs?status=9&limit=0&since=x&cursor=%21&colour=red&sign=a&sign=b")
        assert sorted(fields(answer, 51001)) == ["colour", "cursor", "limit", "sign", "since", "status"]


@pytest.mark.parametrize("query", ["sign=%ff", "%ff=1", "sign=%c0%80", "sign=%ed%a0%80"])
def test_what_is_not_utf8_is_refused(server: Server, reader: Key, query: str) -> None:
    answer = raw.send(server, raw.request("GET", f"/v1/signs?{query}", auth=raw.basic(reader)))
    assert (answer.status, answer.code) == (400, 51001)


def test_a_thousand_parameters_are_refused(server: Server, reader: Key) -> None:
    with api(server, reader) as client:
        query = "&".join(f"p{n}=1" for n in range(1000))
        assert fields(client.get(f"/v1/signs?{query}"), 51001) == ["query"]


def test_another_applications_signatures_are_neither_listed_nor_shown(
    server: Server, shelf: Any, reader: Key
) -> None:
    _, made = shelf
    with api(server, reader) as client:
        assert ids(client.get("/v1/signs")) == []
        for method, path in (
            ("GET", ""),
            ("POST", "/withdraw"),
            ("GET", "/versions/1/images/image0"),
        ):
            for sign_id in (made[0], "0", "x", 2**31):
                refused(client.request(method, f"/v1/signs/{sign_id}{path}"), 50102)


def test_one_signature_is_shown_with_its_versions_and_its_timeline(
    server: Server, app: Key, client: httpx.Client
) -> None:
    png = noise()
    sign_id = submit(client, "极光", image1=("a.png", png), remark=(None, "官网"))
    server.decide(sign_id, passed=False, reasons=("unreadable:image1", "trade"), note="请重拍")
    submit(client, path=f"/v1/sign/{sign_id}")
    answer = client.get(f"/v1/signs/{sign_id}")
    reported = answer.json()
    assert reported["version"] == 2
    assert "refuse_reason" not in reported
    first, second = reported["versions"]
    assert (first["n"], first["sign"], first["fields"]) == (1, "极光", {"remark": "官网"})
    image = first["images"][0]
    assert list(image) == ["slot", "type", "size_bytes", "width", "height", "sha256"]
    assert (image["slot"], image["type"], image["size_bytes"]) == ("image1", "png", len(png))
    assert image["sha256"] == hashlib.sha256(png).hexdigest()
    decision = first["decision"]
    assert (decision["passed"], decision["note"]) == (False, "请重拍")
    assert [(reason["code"], reason["field"]) for reason in decision["reasons"]] == [
        ("unreadable", "image1"),
        ("trade", "sign"),
    ]
    assert decision["reasons"][0]["title"] == "Image unreadable"
    assert (second["n"], second["images"], second["decision"]) == (2, [], None)
    timeline = [
        (entry["seq"], entry["kind"], entry["actor"], entry["version"]) for entry in reported["timeline"]
    ]
    assert timeline == [
        (1, "signature.submitted", "app", 1),
        (2, "signature.refused", "auditor", 1),
        (3, "signature.resubmitted", "app", 2),
    ]
    assert "test:auditor" not in answer.text, "an auditor's name is never shown"
    chinese = client.get(f"/v1/signs/{sign_id}", headers={"accept-language": "zh"}).json()
    assert chinese["versions"][0]["decision"]["reasons"][0]["title"] == "图片无法辨认"
    assert chinese["versions"][0]["decision"]["decided_at"] == decision["decided_at"]


def test_evidence_is_a_download_of_the_very_bytes(server: Server, client: httpx.Client) -> None:
    image = noise()
    sign_id = submit(client, image1=("a.png", image))
    path = f"/v1/signs/{sign_id}/versions/1/images/image1"
    answer = client.get(path)
    assert answer.content == image
    sha256 = hashlib.sha256(image).hexdigest()
    assert answer.headers["etag"] == f'"{sha256}"'
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"] == f'attachment; filename="{sign_id}-1-image1.png"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    again = client.get(path, headers={"if-none-match": f'"{sha256}"'})
    assert (again.status_code, again.content) == (304, b"")
    for n, slot, wrong in (
        ("0", "image1", "n"),
        ("x", "image1", "n"),
        (10**30, "image1", "n"),
        (1, "%00", "slot"),
    ):
        assert fields(client.get(f"/v1/signs/{sign_id}/versions/{n}/images/{slot}"), 51001) == [wrong]
    for n, slot in ((1, "image0"), (2, "image1"), (2**31 - 1, "otherImage")):
        refused(client.get(f"/v1/signs/{sign_id}/versions/{n}/images/{slot}"), 50016)
    refused(client.get(f"/v1/signs/{sign_id}/versions//images/image1"), 50016)


def test_what_was_withdrawn_may_be_modified(server: Server, client: httpx.Client) -> None:
    sign_id = submit(client)
    answer = client.post(f"/v1/signs/{sign_id}/withdraw")
    assert (answer.status_code, answer.json()) == (200, {"sign_id": sign_id})
    reported = client.get(f"/v1/signs/{sign_id}").json()
    assert reported["status"] == 2
    assert "refuse_reason" not in reported
    assert reported["versions"][0]["decision"] is None
    assert reported["timeline"][-1]["kind"] == "signature.withdrawn"
    refused(client.post(f"/v1/signs/{sign_id}/withdraw"), 50102)
    submit(client, path=f"/v1/sign/{sign_id}")
    server.decide(sign_id, passed=True)
    refused(client.post(f"/v1/signs/{sign_id}/withdraw"), 50102)
    assert server.json("events", "verify")["fault"] is None


def check(client: httpx.Client, query: str = "", **parts: Any) -> Any:
    answer = client.post(f"/v1/signs/check{query}", files=parts)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_check_says_everything_at_once_and_keeps_nothing(server: Server, client: httpx.Client) -> None:
    assert check(client, sign=(None, "极光推送"), image0=("a.png", noise())) == {"ok": True, "problems": []}
    submit(client)
    with raw.nothing_changes(server):
        reported = check(
            client,
            sign=(None, "【极光】"),
            image0=("a.png", b"no image"),
            type=(None, "9"),
            image9=("b", b"-"),
        )
    assert reported["ok"] is False
    assert [(each["code"], each["field"]) for each in reported["problems"]] == [
        (50007, "type"),
        (50104, "sign"),
        (50101, "image0"),
        (50103, "sign"),
    ]
    assert all(each["message"] and each["reason"] and each["hint"] for each in reported["problems"])


def test_a_check_of_a_modify_asks_the_rules_of_modify(server: Server, app: Key, client: httpx.Client) -> None:
    sign_id = submit(client)

    def codes(query: str) -> list[int]:
        return [each["code"] for each in check(client, query, sign=(None, "极光推送"))["problems"]]

    assert codes(f"?sign_id={sign_id}") == [50103]
    server.decide(sign_id, passed=False)
    assert codes(f"?sign_id={sign_id}") == []
    submit(client, path=f"/v1/sign/{sign_id}")
    server.decide(sign_id, passed=True)
    assert codes(f"?sign_id={sign_id}") == [50102]
    assert codes(f"?sign_id={2**31 - 1}") == [50102]
    assert codes("") == []
    server.json("app", "limit", app.app_key, "1")
    submit(client)
    assert codes(f"?sign_id={sign_id}") == [51003, 50103, 50102]


def test_a_check_says_first_what_the_call_would_refuse(
    server: Server, app: Key, client: httpx.Client
) -> None:
    server.json("app", "limit", app.app_key, "2")
    passed = submit(client)
    server.decide(passed, passed=True)
    submit(client)
    good: dict[str, Any] = {"sign": (None, "极光")}
    broken: dict[str, Any] = {"sign": (None, "【极光】"), "image0": ("a.png", b"no image")}
    orders = {
        (None, 50104): [50104, 50101, 51003, 50103],
        (None, 51003): [51003, 50103],
        (passed, 50104): [50104, 50101, 51003, 50103, 50102],
        (passed, 51003): [51003, 50103, 50102],
        (2**31 - 1, 50102): [50102, 50104, 50101, 51003, 50103],
    }
    for (sign_id, code), reported in orders.items():
        parts = good if code == 51003 else broken
        query, path = (f"?sign_id={sign_id}", f"/v1/sign/{sign_id}") if sign_id else ("", "/v1/sign")
        assert [each["code"] for each in check(client, query, **parts)["problems"]] == reported
        refused(client.post(path, files=parts), code)


def test_a_check_needs_a_form(server: Server, client: httpx.Client) -> None:
    refused(client.post("/v1/signs/check"), 50003)
    refused(client.post("/v1/signs/check", json={}), 50017)
    assert fields(client.post("/v1/signs/check?sign_id=0&x=1", files={"sign": "x"}), 51001) == [
        "sign_id",
        "x",
    ]
