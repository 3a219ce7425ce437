"""The added calls for one signature: show, images, withdraw, check."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api import raw
from tests.api.api import api, expect_error, fields, submit
from tests.images import noise
from tests.running import Key, Server

pytestmark = pytest.mark.process


@pytest.fixture
def client(server: Server, app: Key) -> Iterator[httpx.Client]:
    with api(server, app) as opened:
        yield opened


def test_a_signature_is_shown_with_its_versions_and_timeline(
    server: Server, app: Key, client: httpx.Client
) -> None:
    png = noise()
    sign_id = submit(client, "极光", image1=("a.png", png), remark=(None, "官网"))
    server.decide(sign_id, passed=False, reasons=("unreadable:image1", "trade"), note="请重拍")
    submit(client, path=f"/v1/sign/{sign_id}")
    response = client.get(f"/v1/signs/{sign_id}")
    body = response.json()
    assert body["version"] == 2
    assert "refuse_reason" not in body
    first, second = body["versions"]
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
    timeline = [(entry["seq"], entry["kind"], entry["actor"], entry["version"]) for entry in body["timeline"]]
    assert timeline == [
        (1, "signature.submitted", "app", 1),
        (2, "signature.refused", "auditor", 1),
        (3, "signature.resubmitted", "app", 2),
    ]
    assert "test:auditor" not in response.text, "an auditor's name is never shown"
    chinese = client.get(f"/v1/signs/{sign_id}", headers={"accept-language": "zh"}).json()
    assert chinese["versions"][0]["decision"]["reasons"][0]["title"] == "图片无法辨认"
    assert chinese["versions"][0]["decision"]["decided_at"] == decision["decided_at"]


def test_an_image_is_downloaded_byte_for_byte(server: Server, client: httpx.Client) -> None:
    image = noise()
    sign_id = submit(client, image1=("a.png", image))
    path = f"/v1/signs/{sign_id}/versions/1/images/image1"
    response = client.get(path)
    assert response.content == image
    sha256 = hashlib.sha256(image).hexdigest()
    assert response.headers["etag"] == f'"{sha256}"'
    assert response.headers["content-type"] == "image/png"
    assert response.headers["content-disposition"] == f'attachment; filename="{sign_id}-1-image1.png"'
    assert response.headers["x-content-type-options"] == "nosniff"
    again = client.get(path, headers={"if-none-match": f'"{sha256}"'})
    assert (again.status_code, again.content) == (304, b"")
    for n, slot, field in (
        ("0", "image1", "n"),
        ("x", "image1", "n"),
        (10**30, "image1", "n"),
        (1, "%00", "slot"),
    ):
        assert fields(client.get(f"/v1/signs/{sign_id}/versions/{n}/images/{slot}"), 51001) == [field]
    for n, slot in ((1, "image0"), (2, "image1"), (2**31 - 1, "otherImage")):
        expect_error(client.get(f"/v1/signs/{sign_id}/versions/{n}/images/{slot}"), 50016)
    expect_error(client.get(f"/v1/signs/{sign_id}/versions//images/image1"), 50016)


def test_a_withdrawn_signature_can_be_modified(server: Server, client: httpx.Client) -> None:
    sign_id = submit(client)
    response = client.post(f"/v1/signs/{sign_id}/withdraw")
    assert (response.status_code, response.json()) == (200, {"sign_id": sign_id})
    body = client.get(f"/v1/signs/{sign_id}").json()
    assert body["status"] == 2
    assert "refuse_reason" not in body
    assert body["versions"][0]["decision"] is None
    assert body["timeline"][-1]["kind"] == "signature.withdrawn"
    expect_error(client.post(f"/v1/signs/{sign_id}/withdraw"), 50102)
    submit(client, path=f"/v1/sign/{sign_id}")
    server.decide(sign_id, passed=True)
    expect_error(client.post(f"/v1/signs/{sign_id}/withdraw"), 50102)
    assert server.json("events", "verify")["fault"] is None


def check(client: httpx.Client, query: str = "", **parts: Any) -> Any:
    response = client.post(f"/v1/signs/check{query}", files=parts)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_check_reports_all_problems_and_stores_nothing(server: Server, client: httpx.Client) -> None:
    assert check(client, sign=(None, "极光推送"), image0=("a.png", noise())) == {"ok": True, "problems": []}
    submit(client)
    with raw.nothing_changes(server):
        body = check(
            client,
            sign=(None, "【极光】"),
            image0=("a.png", b"no image"),
            type=(None, "9"),
            image9=("b", b"-"),
        )
    assert body["ok"] is False
    assert [(each["code"], each["field"]) for each in body["problems"]] == [
        (50007, "type"),
        (50104, "sign"),
        (50101, "image0"),
        (50103, "sign"),
    ]
    assert all(each["message"] and each["reason"] and each["hint"] for each in body["problems"])


def test_a_check_with_sign_id_applies_the_rules_of_modify(
    server: Server, app: Key, client: httpx.Client
) -> None:
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


def test_a_check_reports_problems_in_the_order_of_the_call(
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
    for (sign_id, code), codes in orders.items():
        parts = good if code == 51003 else broken
        query, path = (f"?sign_id={sign_id}", f"/v1/sign/{sign_id}") if sign_id else ("", "/v1/sign")
        assert [each["code"] for each in check(client, query, **parts)["problems"]] == codes
        expect_error(client.post(path, files=parts), code)


def test_a_check_needs_a_form(server: Server, client: httpx.Client) -> None:
    expect_error(client.post("/v1/signs/check"), 50003)
    expect_error(client.post("/v1/signs/check", json={}), 50017)
    assert fields(client.post("/v1/signs/check?sign_id=0&x=1", files={"sign": "x"}), 51001) == [
        "sign_id",
        "x",
    ]
