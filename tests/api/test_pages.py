"""The home page in both languages; HEAD."""

from __future__ import annotations

import http.client

import pytest

from tests.api import raw
from tests.running import Server

pytestmark = pytest.mark.process


@pytest.mark.parametrize(
    "accepted, language, phrase",
    [("", "en", "sign"), ("zh-CN,zh", "zh-CN", "短信签名"), ("en", "en", "sign")],
)
def test_the_home_page_follows_accept_language(
    server: Server, accepted: str, language: str, phrase: str
) -> None:
    response = raw.get(server, "/", head=f"Accept-Language: {accepted}\r\n" if accepted else "")
    page = response.body.decode()
    assert response.status == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["vary"].lower() == "accept-language"
    assert f'<html lang="{language}"' in page
    assert phrase in page
    assert "http://smsign.test/v1/sign" in page
    assert "$" not in page
    assert raw.get(server, "/home.css").headers["content-type"] == "text/css; charset=utf-8"


@pytest.mark.parametrize("path", ["/", "/reference"])
def test_the_lang_parameter_wins_over_accept_language(server: Server, path: str) -> None:
    """And the response has no Vary, so that caches store it once."""
    for lang, accepted, html in (("zh", "en", "zh-CN"), ("en", "zh", "en")):
        response = raw.get(server, f"{path}?lang={lang}", head=f"Accept-Language: {accepted}\r\n")
        page = response.body.decode()
        assert f'<html lang="{html}">' in page
        assert "vary" not in response.headers
        assert f'<a href="?lang={"zh" if lang == "en" else "en"}" lang="' in page
        stored = f"/reference?lang={lang}" if path == "/" else f"/?lang={lang}"
        assert f'<a href="{stored}">' in page
    for query in ("", "?lang=", "?lang=fr", "?lang=zh-TW", "?lang=%22%3E%3Cb%3E", "?lang=en&lang=%00"):
        response = raw.get(server, path + query, head="Accept-Language: zh\r\n")
        page = response.body.decode()
        assert '<html lang="zh-CN">' in page, query
        assert response.headers["vary"].lower() == "accept-language"
        assert '<a href="?lang=en" lang="en" hreflang="en">English</a>' in page
        assert f'<a href="{"/reference" if path == "/" else "/"}">' in page
        assert '"><b>' not in page


def test_the_home_page_escapes_the_host_header(server: Server) -> None:
    for head in ('Host: "><script>alert(1)</script>\r\n', "X-Forwarded-Proto: javascript:<b>\r\n"):
        line = "" if head.startswith("Host") else "Host: x\r\n"
        data = f"GET / HTTP/1.1\r\n{line}{head}\r\n".encode()
        page = server.raw(data).decode()
        assert "<script>" not in page
        assert "<b>" not in page


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/metrics", "/home.css", "/v1/sign/1", "/nowhere"]
)
def test_head_has_the_headers_of_get_and_no_body(server: Server, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        for method in ("HEAD", "HEAD", "GET"):  # a stray body would spoil the next response
            connection.request(method, path)
            response = connection.getresponse()
            body = response.read()
            assert bool(body) == (method == "GET")
            if method == "HEAD":
                status, length = response.status, response.headers["content-length"]
                assert response.headers["x-request-id"]
    finally:
        connection.close()
    assert status == {"/v1/sign/1": 405, "/nowhere": 404}.get(path, 200)
    assert int(length) > 0
