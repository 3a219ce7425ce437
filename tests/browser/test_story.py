"""The console in a real browser: from the first admin to a signature in use, races, the keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.scene import licence
from tests.images import noise
from tests.running import PASSWORD, Key, Server

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Page]


def _submit(server: Server, key: Key, sign: str) -> int:
    url = f"{server.url}/v1/sign"
    response = httpx.post(url, auth=key.auth, data={"sign": sign}, files={"image0": noise()})
    return int(response.json()["sign_id"])


def _accept(page: Page, link: str, name: str) -> None:
    page.goto(link)
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()


def test_from_the_first_admin_to_a_signature_in_use(
    start: Callable[..., Server], open_page: OpenPage, tmp_path: Path
) -> None:
    server = start()
    admin, owner, auditor = (open_page(server.url) for _ in range(3))

    first = server.first_link()
    _accept(admin, first, "wang.wei")
    expect(admin.get_by_role("heading", name="Desk")).to_be_visible()
    assert "is no longer valid" in httpx.get(first).text

    for page, name, role in ((owner, "chen.yu", "owner"), (auditor, "li.na", "auditor")):
        admin.goto(f"{server.url}/console/accounts")
        admin.get_by_role("checkbox", name=role).check()
        admin.get_by_role("button", name="Create link").click()
        _accept(page, admin.locator("code.secret").inner_text(), name)

    owner.get_by_label("Name").fill("极光")
    owner.get_by_role("button", name="Create").click()
    app_url = owner.url.partition("?")[0]
    key = owner.locator("dd code").inner_text()
    owner.get_by_text("Show the masterSecret").click()
    owner.locator("form[action$=secret] input[name=password]").fill("not this one at all")
    owner.get_by_role("button", name="Show").click()
    expect(owner.get_by_text("password: incorrect")).to_be_visible()
    owner.goto(app_url)
    owner.get_by_text("Show the masterSecret").click()
    owner.locator("form[action$=secret] input[name=password]").fill(PASSWORD)
    owner.get_by_role("button", name="Show").click()
    auth = (key, owner.locator("code.secret").inner_text())
    owner.goto(app_url)
    expect(owner.get_by_text("masterSecret shown")).to_be_visible()  # recorded in the ledger

    owner.get_by_role("link", name="Submit a signature").click()
    sign = owner.get_by_label("Signature")
    sign.fill("极光 推送")
    expect(owner.locator("#sign-check .wrong")).to_contain_text("not allowed")
    sign.fill("极光推送")
    expect(owner.locator("#sign-check .right")).to_contain_text("【极光推送】")
    for slot in range(4):
        image = tmp_path / f"{slot}.png"
        image.write_bytes(licence(f"No. {slot}"))
        owner.locator(f"input[name=image{slot}]").set_input_files(image)
    expect(owner.locator(".drop img")).to_have_count(4)
    owner.get_by_role("button", name="Submit for audit").click()
    expect(owner.get_by_text("It is waiting for an auditor")).to_be_visible()
    sign_id = int(re.findall(r"signatures/(\d+)", owner.url)[0])

    def signature() -> dict[str, Any]:
        return dict(httpx.get(f"{server.url}/v1/sign/{sign_id}", auth=auth).json())

    assert signature() == {
        "sign_id": sign_id,
        "sign": "极光推送",
        "status": 0,
        "use_status": 0,
        "is_default": 0,
    }

    expect(auditor.get_by_text("【极光推送】")).to_be_visible()  # the queue is live
    auditor.keyboard.press("t")
    expect(auditor.locator("[data-place]")).to_have_text("1 / 4")
    auditor.keyboard.press("j")
    expect(auditor.locator("[data-place]")).to_have_text("2 / 4")
    auditor.keyboard.press("1")
    auditor.keyboard.press("5")
    auditor.locator("select[name=field-unreadable]").select_option("image2")
    auditor.keyboard.press("n")
    auditor.keyboard.type("The third image is blurred.")
    auditor.keyboard.press("Escape")
    auditor.keyboard.press("x")
    expect(auditor.get_by_text("No other signature can be taken")).to_be_visible()
    assert signature()["status"] == 2
    assert "blurred" in signature()["refuse_reason"]

    owner.reload()
    for text in ("Name does not match the licence", "Image unreadable", "image 3", "is blurred"):
        expect(owner.locator(".note.bad", has_text=text)).to_be_visible()
    owner.get_by_role("link", name="Resubmit").click()
    owner.get_by_label("Signature").fill("极光")
    owner.locator("input[name=image0]").set_input_files(tmp_path / "0.png")
    owner.get_by_role("button", name="Submit for audit").click()
    expect(owner.get_by_role("heading", name="Version 2")).to_be_visible()
    expect(owner.locator(".versions article").first.locator("dd.changed")).to_contain_text("【极光】")
    assert (signature()["status"], signature()["sign"]) == (0, "极光")

    auditor.keyboard.press("t")
    expect(auditor.get_by_text("previously: 极光推送")).to_be_visible()
    auditor.keyboard.press("p")
    expect(auditor.get_by_text("No other signature can be taken")).to_be_visible()
    assert (signature()["status"], signature()["use_status"]) == (1, 1)

    owner.goto(app_url)
    expect(owner.locator("aside .sign")).to_have_text("【极光】")
    owner.locator("select[name=signature]").select_option("")
    owner.get_by_role("button", name="Switch").click()
    assert signature()["use_status"] == 0
    owner.locator("select[name=signature]").select_option(str(sign_id))
    owner.get_by_role("button", name="Switch").click()
    assert signature()["use_status"] == 1

    admin.goto(f"{server.url}/console/signatures/{sign_id}")
    admin.get_by_label("Reason").fill("The trademark was withdrawn.")
    admin.get_by_role("button", name="Reopen").click()
    assert (signature()["status"], signature()["use_status"]) == (0, 0)
    admin.goto(f"{server.url}/console/ledger")
    admin.get_by_role("button", name="Verify the ledger").click()
    expect(admin.get_by_text("hash chains are intact")).to_be_visible()


def test_of_two_auditors_who_take_one_signature_only_one_gets_it(
    start: Callable[..., Server], open_page: OpenPage, engine: str
) -> None:
    server = start(workers=2)
    names = ("li.na", "wang.wei")
    pages = [open_page(server.url, server.make_account(name, "auditor")) for name in names]
    for page in pages:  # no live update, which would replace the other one's button first
        page.route("**/desk/live", lambda _: None)
    url = f"{server.url}/v1/sign"
    (key,) = server.make_apps(1)
    for _ in range(10 if engine == "sqlite" else 5):
        sign_id = httpx.post(url, auth=key.auth, data={"sign": "竞争"}, files={"image0": noise()}).json()[
            "sign_id"
        ]
        for page in pages:
            page.goto(f"{server.url}/console/desk")
        for page in pages:  # both click, neither waits for the other
            page.evaluate("setTimeout(() => document.querySelector('[data-row] button').click(), 20)")
        for page in pages:
            page.wait_for_url(re.compile(rf"/desk/{sign_id}"))
        won = [page.locator("#decide").count() for page in pages]
        assert sorted(won) == [0, 1]
        winner, loser = won.index(1), won.index(0)
        assert f"{names[winner]} took it" in pages[loser].locator("main").inner_text()
        assert httpx.get(f"{url}/{sign_id}", auth=key.auth).json()["status"] == 0
        httpx.delete(f"{url}/{sign_id}", auth=key.auth)


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_ten_signatures_are_decided_with_the_keyboard_alone(
    start: Callable[..., Server], open_page: OpenPage
) -> None:
    server = start()
    page = open_page(server.url, server.make_account("li.na", "auditor"))
    keys = server.make_apps(10)
    ids = [_submit(server, key, f"签名{n}") for n, key in enumerate(keys)]
    page.goto(f"{server.url}/console/desk")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    for n in range(10):
        expect(page.get_by_role("heading", name=f"【签名{n}】")).to_be_visible()
        for each in "+-rfbb":
            page.keyboard.press(each)
        if n % 2:
            page.keyboard.press("3")
            page.keyboard.press("x")
        else:
            page.keyboard.press("p")
    expect(page.get_by_text("The queue is empty")).to_be_visible()
    for n, (key, sign_id) in enumerate(zip(keys, ids, strict=True)):
        response = httpx.get(f"{server.url}/v1/sign/{sign_id}", auth=key.auth)
        assert response.json()["status"] == (2 if n % 2 else 1)


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_leaving_the_desk_releases_the_lease(start: Callable[..., Server], open_page: OpenPage) -> None:
    server = start()
    page, other = (open_page(server.url, server.make_account(name, "auditor")) for name in ("li.na", "hu.bo"))
    (key,) = server.make_apps(1)
    _submit(server, key, "租约")
    page.goto(f"{server.url}/console/desk")
    page.keyboard.press("t")
    expect(page.locator("#decide")).to_be_visible()
    other.goto(f"{server.url}/console/desk")
    expect(other.locator("[data-row] .tag", has_text="li.na")).to_be_visible()
    page.goto(f"{server.url}/console/me")
    expect(other.get_by_role("button", name="Take 租约")).to_be_visible()  # the queue is live
