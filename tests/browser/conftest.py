"""Chromium, and pages in which a script error or a CSP violation fails the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, sync_playwright

from tests.browser.chromium import launch


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # While it is open, the main thread has a running event loop: no other kind of test may run meanwhile.
    with sync_playwright() as playwright:
        running = launch(playwright)
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a page in a new browser context."""
    contexts = []
    errors: list[str] = []

    def open_one(url: str, token: str | None = None, **given: Any) -> Page:
        context = browser.new_context(**{"locale": "en-GB", "timezone_id": "Asia/Shanghai"} | given)
        contexts.append(context)
        if token:
            cookie = {"name": "smsign_session", "value": token, "url": f"{url}/console"}
            context.add_cookies([cookie])  # type: ignore[list-item]
        page = context.new_page()

        def on_error(error: Error) -> None:
            if page.url.startswith(url):  # not on a page of the identity provider
                errors.append(str(error))

        def on_console(message: ConsoleMessage) -> None:
            if "Content Security" in message.text and message.location["url"].startswith(url):
                errors.append(message.text)

        page.on("pageerror", on_error)
        page.on("console", on_console)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert errors == []
