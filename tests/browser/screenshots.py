"""Take screenshots of the main pages, wide, narrow and dark, in both languages: `make screenshots`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import sync_playwright

from tests.browser.chromium import launch
from tests.browser.scene import build
from tests.running import Server, free_port

VARIANTS: tuple[tuple[str, int, Literal["light", "dark"], str], ...] = (
    ("wide", 1360, "light", "zh"),
    ("dark", 1360, "dark", "en"),
    ("narrow", 390, "light", "en"),
)


def main(folder: Path) -> None:
    """Write the screenshots into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data,
        Server(Path(data), port=free_port()) as server,
        sync_playwright() as playwright,
    ):
        scene = build(server)
        pages = {
            "sign-in": ("", "/console/sign-in"),
            "desk": (scene.auditor, "/console/desk"),
            "decide": (scene.auditor, f"/console/desk/{scene.waiting}"),
            "apps": (scene.owner, "/console/apps"),
            "app": (scene.owner, f"/console/apps/{scene.app}"),
            "callback": (scene.owner, f"/console/apps/{scene.app}/callbacks/{scene.callback}"),
            "submit": (scene.owner, f"/console/signatures/{scene.refused}/resubmit"),
            "signature": (scene.owner, f"/console/signatures/{scene.refused}"),
            "statistics": (scene.admin, "/console/statistics"),
            "accounts": (scene.admin, "/console/accounts"),
            "reasons": (scene.admin, "/console/reasons"),
            "ledger": (scene.admin, "/console/ledger"),
            "me": (scene.owner, "/console/me"),
        }
        browser = launch(playwright)
        for variant, width, scheme, language in VARIANTS:
            for name, (token, path) in pages.items():
                context = browser.new_context(
                    viewport={"width": width, "height": 860}, color_scheme=scheme, timezone_id="Asia/Shanghai"
                )
                given = {"smsign_session": token, "smsign_language": language, "smsign_zone": "Asia/Shanghai"}
                url = f"{server.url}/console"
                context.add_cookies([{"name": k, "value": v, "url": url} for k, v in given.items() if v])
                page = context.new_page()
                page.goto(server.url + path)
                page.wait_for_load_state("load")
                if name == "decide":
                    page.keyboard.press("1")
                page.screenshot(path=folder / f"{name}-{variant}.png", full_page=variant == "narrow")
                context.close()
                print(f"{name}-{variant}.png")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/screenshots"))
