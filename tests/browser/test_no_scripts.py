"""The console without JavaScript: everything but the image viewer works by forms and links."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.scene import licence
from tests.running import PASSWORD, Server

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_a_signature_is_submitted_refused_resubmitted_and_passed_without_scripts(
    start: Callable[..., Server], open_page: Callable[..., Page], tmp_path: Path
) -> None:
    server = start()
    for name, role in (("chen.yu", "owner"), ("li.na", "auditor")):
        server.make_account(name, role)
    owner, auditor = (open_page(server.url, java_script_enabled=False) for _ in range(2))
    for page, name in ((owner, "chen.yu"), (auditor, "li.na")):
        page.goto(f"{server.url}/console")
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="中文").click()
        expect(page.locator("html")).to_have_attribute("lang", "zh")
        page.get_by_role("button", name="English").click()

    owner.get_by_label("Name").fill("Harbour")
    owner.get_by_role("button", name="Create").click()
    key = owner.locator("dd code").inner_text()
    owner.get_by_text("Show the masterSecret").click()
    owner.locator("form[action$=secret] input[name=password]").fill(PASSWORD)
    owner.get_by_role("button", name="Show").click()
    auth = (key, owner.locator("code.secret").inner_text())
    owner.get_by_role("link", name="Submit a signature").click()
    image = tmp_path / "licence.png"
    image.write_bytes(licence("No. 7"))
    owner.get_by_label("Signature").fill("海港 酒店")
    owner.locator("input[name=image0]").set_input_files(image)
    owner.get_by_role("button", name="Submit for audit").click()
    expect(owner.get_by_text("not allowed: U+0020").first).to_be_visible()
    owner.get_by_label("Signature").fill("海港酒店")
    owner.locator("input[name=image0]").set_input_files(image)
    owner.get_by_role("button", name="Submit for audit").click()
    expect(owner.get_by_text("It is waiting for an auditor")).to_be_visible()
    number = int(owner.url.rpartition("/")[2].partition("?")[0])

    def status() -> int:
        return int(httpx.get(f"{server.url}/v1/sign/{number}", auth=auth).json()["status"])

    auditor.goto(f"{server.url}/console/desk")
    auditor.get_by_role("button", name="Take the oldest").click()
    expect(auditor.locator("img").first).to_be_visible()
    auditor.get_by_role("checkbox", name="Too generic a name").check()
    auditor.get_by_label("Note").fill("Whose harbour?")
    auditor.get_by_role("button", name="Refuse").click()
    assert status() == 2

    owner.reload()
    expect(owner.get_by_text("Whose harbour?")).to_be_visible()
    owner.get_by_role("link", name="Resubmit").click()
    owner.get_by_label("Signature").fill("星洲海港酒店")
    owner.get_by_role("button", name="Submit for audit").click()
    assert status() == 0

    auditor.goto(f"{server.url}/console/desk")
    auditor.get_by_role("button", name="Take 星洲海港酒店").click()
    auditor.get_by_role("button", name="Pass").click()
    assert status() == 1
