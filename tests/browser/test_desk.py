"""The desk and the queue under accidental input: held keys, Enter, double clicks, a changing queue."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.images import noise
from tests.running import Key, Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True),
]
OpenPage = Callable[..., Page]


def _fill(server: Server, count: int) -> list[tuple[Key, int]]:
    ids = []
    for n, key in enumerate(server.make_apps(count)):
        sent = {"data": {"sign": f"签名{n}"}, "files": {"image0": noise()}}
        response = httpx.post(f"{server.url}/v1/sign", auth=key.auth, **sent)  # type: ignore[arg-type]
        ids.append((key, int(response.json()["sign_id"])))
    return ids


def _states(server: Server, made: list[tuple[Key, int]]) -> list[int]:
    responses = [httpx.get(f"{server.url}/v1/sign/{number}", auth=key.auth) for key, number in made]
    return [response.json()["status"] for response in responses]


@pytest.mark.parametrize("scripts", [True, False])
def test_enter_in_a_checkbox_decides_nothing(
    start: Callable[..., Server], open_page: OpenPage, scripts: bool
) -> None:
    server = start()
    made = _fill(server, 2)
    page = open_page(server.url, server.make_account("li.na", "auditor"), java_script_enabled=scripts)
    page.goto(f"{server.url}/console/desk")
    page.get_by_role("checkbox", name="Select 签名0").press("Space")
    page.get_by_role("checkbox", name="Select 签名0").press("Enter")
    page.wait_for_timeout(300)
    page.goto(f"{server.url}/console/desk/{made[1][1]}")
    page.get_by_role("checkbox", name="Too generic a name").press("Enter")
    page.wait_for_timeout(300)
    assert _states(server, made) == [0, 0]
    page.get_by_role("checkbox", name="Too generic a name").check()
    page.get_by_role("button", name="Pass").click()
    expect(page.get_by_text("clear the reasons")).to_be_visible()
    expect(page.get_by_role("checkbox", name="Too generic a name")).to_be_checked()
    assert _states(server, made) == [0, 0]


def test_a_key_held_down_decides_once(start: Callable[..., Server], open_page: OpenPage) -> None:
    server = start()
    made = _fill(server, 4)
    page = open_page(server.url, server.make_account("li.na", "auditor"))
    page.goto(f"{server.url}/console/desk")
    page.keyboard.press("t")
    expect(page.get_by_role("heading", name="【签名0】")).to_be_visible()
    for _ in range(40):
        page.keyboard.down("p")
        page.wait_for_timeout(25)
    page.keyboard.up("p")
    expect(page.get_by_role("heading", name="【签名1】")).to_be_visible()
    assert _states(server, made) == [1, 0, 0, 0]


def test_a_double_click_submits_a_form_once(start: Callable[..., Server], open_page: OpenPage) -> None:
    server = start()
    _fill(server, 2)
    page = open_page(server.url, server.make_account("li.na", "auditor"))
    page.goto(f"{server.url}/console/desk")
    page.keyboard.press("t")
    expect(page.locator("#decide")).to_be_visible()
    page.evaluate(
        """() => {
          window.sent = 0;
          document.addEventListener("submit", (event) => {
            window.sent += event.defaultPrevented ? 0 : 1;
            event.preventDefault();  // a slow response
          });
        }"""
    )
    page.get_by_role("button", name="Pass").dblclick()
    page.keyboard.press("x")
    assert page.evaluate("window.sent") == 1


def test_a_refusal_without_a_reason_keeps_the_note(start: Callable[..., Server], open_page: OpenPage) -> None:
    server = start()
    made = _fill(server, 1)
    page = open_page(server.url, server.make_account("li.na", "auditor"))
    page.goto(f"{server.url}/console/desk")
    page.keyboard.press("t")
    page.get_by_label("Note").fill("The stamp is missing.")
    page.keyboard.press("Escape")
    page.keyboard.press("x")
    expect(page.get_by_text("select at least one reason")).to_be_visible()
    expect(page.get_by_label("Note")).to_have_value("The stamp is missing.")
    assert _states(server, made) == [0]


def test_earlier_signatures_open_in_a_new_tab(start: Callable[..., Server], open_page: OpenPage) -> None:
    server = start()
    ((key, first),) = _fill(server, 1)
    server.decide(first, passed=True)
    sent = {"data": {"sign": "第二个"}, "files": {"image0": noise()}}
    httpx.post(f"{server.url}/v1/sign", auth=key.auth, **sent)  # type: ignore[arg-type]
    page, other = (open_page(server.url, server.make_account(each, "auditor")) for each in ("li.na", "hu.bo"))
    page.goto(f"{server.url}/console/desk")
    page.keyboard.press("t")
    page.get_by_role("checkbox", name="Too generic a name").check()
    page.get_by_label("Note").fill("Seen before.")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="【签名0】 (in a new tab)").click()
    expect(opened.value.get_by_role("heading", name="【签名0】")).to_be_visible()
    expect(page.get_by_role("checkbox", name="Too generic a name")).to_be_checked()
    expect(page.get_by_label("Note")).to_have_value("Seen before.")
    other.goto(f"{server.url}/console/desk")
    expect(other.locator("[data-row]")).to_contain_text("li.na")


def test_the_selected_row_and_the_focus_stay_when_the_queue_changes(
    start: Callable[..., Server], open_page: OpenPage
) -> None:
    server = start()
    made = _fill(server, 4)
    page = open_page(server.url, server.make_account("li.na", "auditor"))
    page.goto(f"{server.url}/console/desk")
    for _ in range(3):
        page.keyboard.press("j")
    server.decide(made[0][1], passed=True)
    expect(page.locator("[data-row]")).to_have_count(3)
    expect(page.locator(".here")).to_contain_text("签名2")
    expect(page.get_by_role("link", name="【签名2】")).to_be_focused()
    server.decide(made[2][1], passed=True)
    expect(page.locator("[data-row]")).to_have_count(2)
    expect(page.locator(".here")).to_contain_text("签名3")
    expect(page.get_by_role("link", name="【签名3】")).to_be_focused()
    page.get_by_role("link", name="Statistics").press("Enter")  # Enter follows the link, not the selected row
    expect(page.get_by_role("heading", name="Statistics")).to_be_visible()


def test_a_queue_that_grows_beyond_one_page_gets_a_link_to_the_next(
    start: Callable[..., Server], open_page: OpenPage
) -> None:
    server = start()
    page = open_page(server.url, server.make_account("li.na", "auditor"))
    page.goto(f"{server.url}/console/desk")
    _fill(server, 51)
    expect(page.locator("#count")).to_have_text("51 waiting")
    expect(page.locator("[data-row]")).to_have_count(50)
    page.get_by_role("link", name="More").click()
    expect(page.locator("[data-row]")).to_have_count(1)


def test_the_queue_reconnects_after_a_502_and_shows_the_sign_in_after_the_session_ends(
    start: Callable[..., Server], open_page: OpenPage
) -> None:
    server = start()
    page = open_page(server.url, server.make_account("li.na", "auditor"))
    calls: list[Route] = []

    def respond(route: Route) -> None:
        calls.append(route)
        route.fulfill(status=502, body="bad gateway") if len(calls) == 1 else route.continue_()

    page.route("**/desk/live", respond)
    page.goto(f"{server.url}/console/desk")
    page.wait_for_timeout(500)
    _fill(server, 1)
    expect(page.locator("[data-row]")).to_have_count(1, timeout=15_000)
    page.context.clear_cookies()
    _fill(server, 1)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=15_000)


def test_the_desk_shows_that_the_session_has_ended_and_keeps_the_note(
    start: Callable[..., Server], open_page: OpenPage
) -> None:
    server = start()
    _fill(server, 1)
    page = open_page(server.url, server.make_account("li.na", "auditor"))
    page.clock.install()
    page.goto(f"{server.url}/console/desk")
    page.keyboard.press("t")
    page.get_by_label("Note").fill("A long note.")
    page.context.clear_cookies()
    page.clock.run_for(31_000)
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    expect(page.get_by_label("Note")).to_have_value("A long note.")


def test_leaving_the_desk_after_closing_the_shortcuts_releases_the_lease(
    start: Callable[..., Server], open_page: OpenPage
) -> None:
    server = start()
    _fill(server, 1)
    tokens = [server.make_account(name, "auditor") for name in ("li.na", "hu.bo")]
    page, other = (open_page(server.url, token) for token in tokens)
    page.goto(f"{server.url}/console/desk")
    page.keyboard.press("t")
    expect(page.locator("#decide")).to_be_visible()
    page.keyboard.press("?")
    page.get_by_role("button", name="Close").click()
    page.goto(f"{server.url}/console/me")
    other.goto(f"{server.url}/console/desk")
    expect(other.get_by_role("button", name="Take 签名0")).to_be_visible()


def test_printing_from_the_dark_theme_is_dark_on_white(
    start: Callable[..., Server], open_page: OpenPage
) -> None:
    server = start()
    page = open_page(server.url, server.make_account("li.na", "auditor"))
    url = f"{server.url}/console"
    page.context.add_cookies([{"name": "smsign_theme", "value": "dark", "url": url}])
    page.goto(f"{url}/me")
    ink = "getComputedStyle(document.querySelector('h1')).color"
    assert page.evaluate(ink) == "rgb(230, 232, 235)"
    page.emulate_media(media="print")
    assert page.evaluate(ink) == "rgb(27, 31, 36)"
    expect(page.get_by_role("navigation")).to_be_hidden()


@pytest.mark.parametrize("scripts", [True, False])
def test_closing_the_sms_service_needs_a_confirmation(
    start: Callable[..., Server], open_page: OpenPage, scripts: bool
) -> None:
    server = start()
    key = server.make_app()
    page = open_page(server.url, server.make_account("wang.wei", "admin"), java_script_enabled=scripts)
    page.goto(f"{server.url}/console/apps/1")
    sure = page.get_by_role("button", name="Yes, reject all API calls")
    expect(sure).to_be_hidden()
    page.get_by_text("Close the SMS service").click()
    assert httpx.get(f"{server.url}/v1/app", auth=key.auth).status_code == 200
    sure.click()
    expect(page.get_by_text("is closed: all API calls are rejected")).to_be_visible()
    page.get_by_role("button", name="Open the SMS service").click()
    expect(page.get_by_text("Close the SMS service")).to_be_visible()
    assert httpx.get(f"{server.url}/v1/app", auth=key.auth).status_code == 200


def test_long_names_do_not_make_a_page_wider_than_the_screen(
    start: Callable[..., Server], open_page: OpenPage
) -> None:
    server = start()
    token = server.make_account("a" * 64, "owner")
    server.make_apps(1, names=["W" * 64], owner="a" * 64)
    page = open_page(server.url, token, viewport={"width": 360, "height": 800})
    for path in ("apps", "apps/1", "me"):
        page.goto(f"{server.url}/console/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") == 360, path
