"""Chromium, and a page that complains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.browser.chromium import launch


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # While it is there, the main thread has a loop that runs: no other kind of test may come between.
    with sync_playwright() as playwright:
        running = launch(playwright)
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a page in a browser context of its own; no script may fail in it."""
    contexts = []
    said: list[str] = []

    def open_one(url: str, token: str | None = None, **given: Any) -> Page:
        context = browser.new_context(**{"locale": "en-GB", "timezone_id": "Asia/Shanghai"} | given)
        contexts.append(context)
        if token:
            cookie = {"name": "smsign_session", "value": token, "url": f"{url}/console"}
            context.add_cookies([cookie])  # type: ignore[list-item]
        page = context.new_page()
        page.on("pageerror", lambda error: said.append(str(error)))

        def hear(told: ConsoleMessage) -> None:
            if "Content Security" in told.text and told.location["url"].startswith(url):
                said.append(told.text)

        page.on("console", hear)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert said == []
