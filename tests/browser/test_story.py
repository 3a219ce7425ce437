"""The console in a real browser: the whole story, the race for one item, the keyboard, axe."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Response, expect

from tests.browser.scene import build, licence
from tests.images import noise
from tests.running import PASSWORD, Key, Server

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Page]


def _submit(server: Server, key: Key, sign: str) -> int:
    url = f"{server.url}/v1/sign"
    answer = httpx.post(url, auth=key.auth, data={"sign": sign}, files={"image0": noise()})
    return int(answer.json()["sign_id"])


def _accept(page: Page, link: str, name: str) -> None:
    page.goto(link)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()


def test_from_the_first_admin_to_a_signature_in_use(
    start: Callable[..., Server], open_page: OpenPage, tmp_path: Path
) -> None:
    server = start()
    admin, owner, auditor = (open_page(server.url) for _ in range(3))

    first = server.first_link()
    _accept(admin, first, "wang.wei")
    expect(admin.get_by_role("heading", name="Desk")).to_be_visible()
    assert "does not work any more" in httpx.get(first).text

    for page, name, role in ((owner, "chen.yu", "owner"), (auditor, "li.na", "auditor")):
        admin.goto(f"{server.url}/console/accounts")
        admin.get_by_role("checkbox", name=role).check()
        admin.get_by_role("button", name="Make a link").click()
        _accept(page, admin.locator("code.secret").inner_text(), name)

    owner.get_by_label("Name").fill("极光")
    owner.get_by_role("button", name="Make it").click()
    app_url = owner.url.partition("?")[0]
    key = owner.locator("dd code").inner_text()
    owner.get_by_text("Show the masterSecret").click()
    owner.locator("form[action$=secret] input[name=password]").fill("not this one at all")
    owner.get_by_role("button", name="Show it").click()
    expect(owner.get_by_text("not the one that you sign in with")).to_be_visible()
    owner.goto(app_url)
    owner.get_by_text("Show the masterSecret").click()
    owner.locator("form[action$=secret] input[name=password]").fill(PASSWORD)
    owner.get_by_role("button", name="Show it").click()
    auth = (key, owner.locator("code.secret").inner_text())
    owner.goto(app_url)
    expect(owner.get_by_text("masterSecret shown")).to_be_visible()  # the ledger has it

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
    owner.get_by_role("button", name="Submit to the audit").click()
    expect(owner.get_by_text("It waits for an auditor now")).to_be_visible()
    sign_id = int(re.findall(r"signatures/(\d+)", owner.url)[0])

    def told() -> dict[str, Any]:
        answer = httpx.get(f"{server.url}/v1/sign/{sign_id}", auth=auth)
        return dict(answer.json())

    assert told() == {"sign_id": sign_id, "sign": "极光推送", "status": 0, "use_status": 0, "is_default": 0}

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
    expect(auditor.get_by_text("That was the last one that is free")).to_be_visible()
    assert told()["status"] == 2
    assert "blurred" in told()["refuse_reason"]

    owner.reload()
    for words in ("Name does not match the licence", "Image unreadable", "image 3", "is blurred"):
        expect(owner.locator(".note.bad", has_text=words)).to_be_visible()
    owner.get_by_role("link", name="Submit again").click()
    owner.get_by_label("Signature").fill("极光")
    owner.locator("input[name=image0]").set_input_files(tmp_path / "0.png")
    owner.get_by_role("button", name="Submit to the audit").click()
    expect(owner.get_by_role("heading", name="Version 2")).to_be_visible()
    expect(owner.locator(".rounds article").first.locator("dd.changed")).to_contain_text("【极光】")
    assert (told()["status"], told()["sign"]) == (0, "极光")

    auditor.keyboard.press("t")
    expect(auditor.get_by_text("before: 极光推送")).to_be_visible()
    auditor.keyboard.press("p")
    expect(auditor.get_by_text("That was the last one that is free")).to_be_visible()
    assert (told()["status"], told()["use_status"]) == (1, 1)

    owner.goto(app_url)
    expect(owner.locator("aside .sign")).to_have_text("【极光】")
    owner.locator("select[name=signature]").select_option("")
    owner.get_by_role("button", name="Switch").click()
    assert told()["use_status"] == 0
    owner.locator("select[name=signature]").select_option(str(sign_id))
    owner.get_by_role("button", name="Switch").click()
    assert told()["use_status"] == 1

    admin.goto(f"{server.url}/console/signatures/{sign_id}")
    admin.get_by_label("Why").fill("The trademark was withdrawn.")
    admin.get_by_role("button", name="Put it back in the queue").click()
    assert (told()["status"], told()["use_status"]) == (0, 0)
    admin.goto(f"{server.url}/console/ledger")
    admin.get_by_role("button", name="Verify all of it").click()
    expect(admin.get_by_text("each as it was written")).to_be_visible()


def test_two_auditors_race_for_one_item_again_and_again(
    start: Callable[..., Server], open_page: OpenPage, engine: str
) -> None:
    server = start(workers=2)
    names = ("li.na", "wang.wei")
    pages = [open_page(server.url, server.make_account(name, "auditor")) for name in names]
    url = f"{server.url}/v1/sign"
    (key,) = server.make_apps(1)
    for _ in range(50 if engine == "sqlite" else 20):
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
        answer = httpx.get(f"{url}/{sign_id}", auth=key.auth).json()
        assert answer["status"] == 0
        httpx.delete(f"{url}/{sign_id}", auth=key.auth)


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_a_full_audit_of_ten_with_the_keyboard_alone(
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
    expect(page.get_by_text("Nothing waits")).to_be_visible()
    for n, (key, sign_id) in enumerate(zip(keys, ids, strict=True)):
        answer = httpx.get(f"{server.url}/v1/sign/{sign_id}", auth=key.auth).json()
        assert answer["status"] == (2 if n % 2 else 1)


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_leaving_the_page_frees_what_was_taken(start: Callable[..., Server], open_page: OpenPage) -> None:
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


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_axe_finds_nothing_on_any_page(
    scene_server: Any, open_page: OpenPage, language: str, scheme: str, width: int
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    server, scene = scene_server
    pages = [
        ("", "/console/sign-in"),
        ("", "/console/welcome/none"),
        ("", server.first_link().removeprefix(server.url)),
        (scene.owner, "/console/desk"),
        (scene.owner, "/console/nothing"),
        (scene.auditor, "/console/desk"),
        (scene.auditor, f"/console/desk/{scene.waiting}"),
        (scene.auditor, f"/console/desk/{scene.refused}"),
        (scene.owner, "/console/apps"),
        (scene.owner, f"/console/apps/{scene.app}"),
        (scene.owner, f"/console/apps/{scene.app}/callbacks/{scene.callback}"),
        (scene.owner, f"/console/apps/{scene.app}/submit"),
        (scene.owner, f"/console/signatures/{scene.refused}"),
        (scene.owner, f"/console/signatures/{scene.refused}/resubmit"),
        (scene.admin, f"/console/signatures/{scene.refused}"),
        (scene.admin, f"/console/apps/{scene.app}"),
        (scene.admin, "/console/figures"),
        (scene.admin, "/console/accounts"),
        (scene.admin, "/console/accounts/1"),
        (scene.admin, "/console/reasons"),
        (scene.admin, "/console/ledger"),
        (scene.owner, "/console/me"),
        (scene.owner, "/console/me/totp"),
    ]
    axe = Axe()
    for token in {token for token, _ in pages}:
        page = open_page(
            server.url,
            token,
            color_scheme=scheme,
            viewport={"width": width, "height": 800},
            locale="zh-CN" if language == "zh" else "en-GB",
            bypass_csp=True,
        )
        sizes: list[int] = []
        page.on("response", partial(_weigh, sizes))
        for path in [path for each, path in pages if each == token]:
            sizes.clear()
            page.goto(server.url + path)
            for details in page.locator("details").all():
                details.evaluate("each => { each.open = true }")
            found = axe.run(page)
            assert found.violations_count == 0, f"{path}: {found.generate_report()}"
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{path} scrolls sideways"
            assert page.locator("html").get_attribute("lang") == language
            assert sum(sizes) < 150_000, f"{path}: {sum(sizes)} bytes"


def _weigh(sizes: list[int], answer: Response) -> None:
    if "/images/" not in answer.url and "/live" not in answer.url and answer.status == 200:
        sizes.append(len(answer.body()))


@pytest.fixture(scope="module")
def scene_server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from tests.running import free_port

    with Server(tmp_path_factory.mktemp("scene"), port=free_port()) as server:
        yield server, build(server)
