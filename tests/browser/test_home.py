"""The pages at / and /reference in a real browser: languages, widths, themes, no external requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.running import Server

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True),
]


@pytest.mark.parametrize(("locale", "words"), [("en-GB", "Submit a signature"), ("zh-CN", "提交签名")])
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_home_page_fits_the_screen_and_loads_nothing_from_other_servers(
    server: Server, browser: Browser, locale: str, words: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(
        locale=locale,
        color_scheme=scheme,
        viewport={"width": width, "height": 800},
    )
    page = context.new_page()
    messages: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(server.url)
    assert page.get_by_role("heading", name=words).is_visible()
    assert page.get_by_text(f"curl {server.url}/v1/sign/SIGN_ID").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
    assert all(url.startswith(server.url) for url in requests)
    assert [text for text in messages if "favicon" not in text] == []
    ink, paper = page.evaluate("(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))")
    assert _light(paper) == (scheme == "light")
    assert _light(ink) != _light(paper)
    context.close()


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_reference_fits_the_screen_without_scripts(
    server: Server, browser: Browser, locale: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(
        locale=locale,
        color_scheme=scheme,
        viewport={"width": width, "height": 800},
        java_script_enabled=False,
    )
    page = context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(server.url)
    page.get_by_role("link", name="接口参考" if locale == "zh-CN" else "API reference").click()
    assert page.url == f"{server.url}/reference"
    if width == 360:
        frame, link = (page.locator(each).bounding_box() for each in ("details.contents", "p.other"))
        assert frame is not None
        assert link is not None
        assert link["y"] >= frame["y"] + frame["height"], "the other language lies over the contents"
        page.locator("details.contents > summary").click()
    page.locator("nav.side:visible, details.contents:visible").get_by_role("link").get_by_text(
        "签名列表" if locale == "zh-CN" else "List signatures"
    ).click()
    assert page.url == f"{server.url}/reference#listSigns"
    response = page.locator("#listSigns details.response").filter(has_text="400")
    response.locator("summary").click()
    assert response.get_by_text("not a whole number from 1 to 100").is_visible()
    for box in (page.locator("main").bounding_box(), page.locator("#listSigns table").first.bounding_box()):
        assert box is not None
        assert box["x"] + box["width"] <= width, "the page is wider than the screen"
    assert all(url.startswith(server.url) for url in requests)
    context.close()


def test_the_reference_is_searched_and_its_samples_are_copied(
    server: Server, open_page: Callable[..., Page]
) -> None:
    page = open_page(server.url, permissions=["clipboard-read", "clipboard-write"])
    page.goto(f"{server.url}/reference")
    page.locator("#getSign").get_by_label("Python", exact=True).first.check()
    sample = page.locator("#createSign .python pre")
    expect(sample).to_be_visible()  # one choice is for all calls
    expect(page.locator("#createSign .curl pre")).to_be_hidden()
    page.locator("#createSign .python").get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_focused()
    assert page.evaluate("navigator.clipboard.readText()") == sample.inner_text()
    page.keyboard.press("/")
    page.keyboard.type("pagination CURSOR")
    expect(page.get_by_role("status")).to_have_text("1 results")
    expect(page.locator("#listSigns")).to_be_visible()
    expect(page.locator("#createSign")).to_be_hidden()
    expect(page.locator("nav").get_by_role("link", name="Create a signature")).to_be_hidden()
    expect(page.get_by_role("heading", name="Schemas")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("#createSign")).to_be_visible()


@pytest.mark.parametrize(("lang", "scheme", "width"), [("en", "light", 1280), ("zh", "dark", 360)])
def test_axe_finds_no_accessibility_violation_in_the_reference(
    server: Server, open_page: Callable[..., Page], lang: str, scheme: str, width: int
) -> None:
    page = open_page(
        server.url, color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True
    )
    page.goto(f"{server.url}/reference?lang={lang}")
    page.get_by_role("searchbox").fill("PUT /v1/signs/in-use")  # one call: axe takes 30 s for all
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"


def test_switching_the_language_carries_over_to_the_next_page(server: Server, browser: Browser) -> None:
    context = browser.new_context(locale="en-GB", java_script_enabled=False)
    page = context.new_page()
    page.goto(server.url)
    page.get_by_role("link", name="中文").click()
    page.get_by_role("link", name="接口参考").click()
    assert page.get_by_role("heading", name="接口参考", exact=True).is_visible()
    page.get_by_role("link", name="English").click()
    assert page.get_by_role("heading", name="Reference", exact=True).is_visible()
    page.get_by_role("link", name="smsign").click()
    assert page.get_by_role("heading", name="Submit a signature").is_visible()
    context.close()


def _light(colour: str) -> bool:
    return sum(int(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]) > 384
