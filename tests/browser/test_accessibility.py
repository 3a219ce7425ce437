"""Every page: no violation found by axe, fits the screen, under 150 kB; in both languages and themes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Response

from tests.browser.scene import build
from tests.running import Server, free_port

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Page]


@pytest.mark.parametrize(("scheme", "width", "language"), [("light", 1280, "zh"), ("dark", 360, "en")])
def test_axe_finds_no_accessibility_violation_on_any_page(
    scene_server: Any, open_page: OpenPage, language: str, scheme: str, width: int
) -> None:
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
        (scene.admin, "/console/statistics"),
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
        page.on("response", partial(_record_size, sizes))
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


def _record_size(sizes: list[int], response: Response) -> None:
    if "/images/" not in response.url and "/live" not in response.url and response.status == 200:
        sizes.append(len(response.body()))


@pytest.fixture(scope="module")
def scene_server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Server(tmp_path_factory.mktemp("scene"), port=free_port()) as server:
        yield server, build(server)
