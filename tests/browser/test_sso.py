"""Single sign-on with a real OpenID Connect provider, Canaille."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from playwright.sync_api import Page, expect

from tests.running import PASSWORD, Server, free_port

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True),
]
SECRET = "hush-hush-hush"


class Provider(msgspec.Struct):
    url: str
    server: Server


@pytest.fixture
def provider(tmp_path: Path, start: Callable[..., Server]) -> Iterator[Provider]:
    from joserfc.jwk import RSAKey

    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = start(oidc_issuer=url, oidc_client_id="smsign", oidc_client_secret=SECRET)
    key = RSAKey.generate_key(2048, {"kid": "test"}).as_dict(private=True)
    jwk = ", ".join(f'{name} = "{value}"' for name, value in key.items())
    (tmp_path / "provider.toml").write_text(
        f"""SECRET_KEY = "nothing"
SERVER_NAME = "127.0.0.1:{port}"
PREFERRED_URL_SCHEME = "http"
[CANAILLE]
DATABASE = "sql"
[CANAILLE_SQL]
DATABASE_URI = "sqlite:///{tmp_path}/provider.sqlite"
[CANAILLE_OIDC]
ACTIVE_JWKS = [{{ {jwk} }}]
"""
    )
    env = os.environ | {"CANAILLE_CONFIG": str(tmp_path / "provider.toml")}
    command = str(Path(sys.executable).parent / "canaille")

    def run(*arguments: str) -> None:
        done = subprocess.run([command, *arguments], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    run("install")
    run(
        *("create", "client", "--client-id", "smsign", "--client-secret", SECRET, "--client-name", "smsign"),
        *("--redirect-uris", f"{server.url}/console/sso/back", "--client-uri", server.url),
        *("--token-endpoint-auth-method", "client_secret_basic", "--grant-types", "authorization_code"),
        *("--response-types", "code", "--scope", "openid profile email"),
    )
    run("set", "client", "smsign", "--audience", "smsign")
    for name in ("li.na", "hu.bo"):
        run("create", "user", "--user-name", name, "--password", PASSWORD, "--family-name", name)
    with (tmp_path / "provider.log").open("wb") as log:
        running = subprocess.Popen(
            [command, "run", "--bind", f"127.0.0.1:{port}"], env=env, stdout=log, stderr=log
        )
        try:
            _wait(f"{url}/.well-known/openid-configuration")
            yield Provider(url, server)
        finally:
            running.terminate()
            running.wait(timeout=20)


def _wait(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError("the provider is not ready")


def _sign_in_at_the_provider(page: Page, name: str) -> None:
    page.locator("input[name=login]").fill(name)
    page.locator("[type=submit]").first.click()
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("[type=submit]").first.click()


def test_an_invited_user_signs_in_through_the_provider_and_an_unknown_one_does_not(
    provider: Provider, open_page: Callable[..., Page]
) -> None:
    server = provider.server
    page, other = open_page(server.url), open_page(server.url)
    link = server.json("account", "invite", "--role", "auditor")["path"]
    page.goto(server.url + link)
    page.get_by_role("link", name="Use single sign-on instead").click()
    _sign_in_at_the_provider(page, "li.na")
    expect(page.get_by_role("heading", name="Desk")).to_be_visible()
    expect(page.get_by_role("link", name="li.na")).to_be_visible()
    assert "is no longer valid" in httpx.get(server.url + link).text

    # Tokens that this provider issues within one second are equal, and violate its unique index.
    time.sleep(1.1)
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Single sign-on").click()
    expect(
        page.get_by_role("heading", name="Desk")
    ).to_be_visible()  # the session at the provider is still open

    other.goto(f"{server.url}/console/sign-in")
    other.get_by_role("link", name="Single sign-on").click()
    _sign_in_at_the_provider(other, "hu.bo")
    expect(other.get_by_text("no account is linked to this identity")).to_be_visible()

    with httpx.Client(base_url=server.url) as client:
        forged = client.get("/console/sso/back?code=x&state=y")
        assert forged.status_code == 422
        client.get("/console/sso")
        assert client.get("/console/sso/back?code=x&state=y").status_code == 422
    time.sleep(0.3)
    log = server.log.read_text()
    assert "/console/sso/back" in log
    for secret in (SECRET, "code=", "state=", link.rpartition("/")[2]):
        assert secret not in log
