"""The site builds, every link has a target, and no page loads anything from elsewhere."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.pages import LANGUAGES, names

pytestmark = pytest.mark.process

pytest.importorskip("zensical")
MADE = ("calls", "codes", "settings", "commands")
LOADING = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "video": "src"}


class _Page(HTMLParser):
    """A page's anchors, links and loaded files."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.anchors.add(given["id"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in LOADING and given.get("rel") != "canonical" and (where := given.get(LOADING[tag])):
            self.loaded.append(where)


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, _Page]:
    return {path: _Page(path.read_text("utf-8")) for path in site.rglob("*.html")}


def test_every_page_is_there_in_both_languages(site: Path) -> None:
    for language in LANGUAGES:
        for name in (*names(), *(f"reference/{made}.md" for made in MADE)):
            assert (site / language / name).with_suffix(".html").exists(), (language, name)


def test_every_link_has_a_target(site: Path, pages: dict[Path, _Page]) -> None:
    outside = set()
    for path, page in pages.items():
        for link in page.links if path.name != "404.html" else ():
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                outside.add(link)
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            assert target in pages, (path, link)
            if parts.fragment and parts.fragment != "__skip":
                assert unquote(parts.fragment) in pages[target].anchors, (path, link)
    assert outside == {"https://litestream.io", "https://www.standardwebhooks.com"}, (
        "check new links to other sites by hand, then add them here"
    )
    assert site / "en" / "index.html" in pages


def test_no_page_loads_anything_from_elsewhere(site: Path, pages: dict[Path, _Page]) -> None:
    for path, page in pages.items():
        for where in page.loaded:
            parts = urlsplit(where)
            assert not parts.netloc, (path, where)
            assert parts.scheme in ("", "data"), (path, where)
    for sheet in site.rglob("*.css"):
        for where in re.findall(r"""(?:url\(|@import\s+)["']?([^"')]*)""", sheet.read_text("utf-8")):
            assert not re.match(r"(https?:)?//", where), (sheet, where)


@pytest.fixture(scope="module")
def served(site: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.browser
@pytest.mark.parametrize(("language", "text"), [("en", "withdraw"), ("zh", "审核")])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_search_finds_a_page_and_requests_nothing_elsewhere(
    served: str, language: str, text: str, width: int, scheme: str
) -> None:
    from playwright.sync_api import sync_playwright

    from tests.browser.chromium import launch

    requested: list[str] = []
    errors: list[str] = []
    with sync_playwright() as playwright, launch(playwright) as browser:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        page.on("request", lambda request: requested.append(request.url))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(f"{served}/{language}/how-to/clients.html")
        room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert room[0] <= room[1], "the page is wider than the screen"
        page.wait_for_load_state("networkidle")  # the search is set up by then
        page.keyboard.press("/")
        page.keyboard.type(text)
        found = page.get_by_role("option").filter(has_text=text).first
        found.wait_for()
        found.click()
        page.wait_for_url(f"{served}/{language}/**")
    assert not errors
    assert [url for url in requested if not url.startswith((served, "data:", "blob:"))] == []
