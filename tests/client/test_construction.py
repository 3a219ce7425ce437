"""How a client is made: from the environment, with an HTTP client; User-Agent and request ids."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
import httpx2
import pytest

from smsign import __version__
from smsign.client import AsyncClient, Client
from tests.client.conftest import FakeService, response
from tests.running import Key, Server

VARIABLES = ("SMSIGN_URL", "SMSIGN_APP_KEY", "SMSIGN_MASTER_SECRET")
SIGN = '{"sign_id": 7, "sign": "极光推送", "status": 1, "is_default": 0, "use_status": 0}'
LIST = f'{{"signs": [{SIGN}], "next": null}}'

Make = Callable[..., Client]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in zip(VARIABLES, ("https://sms.example.com/v1/", "k" * 24, "s" * 24), strict=True):
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_from_env_takes_address_and_keys_from_the_environment(environment: pytest.MonkeyPatch) -> None:
    with Client.from_env(retries=0, language="zh") as client:
        assert client.identity == f"{'k' * 24}@https://sms.example.com"
    awaited = AsyncClient.from_env(timeout_s=3)
    assert awaited.identity == client.identity
    asyncio.run(awaited.close())


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_from_env_names_every_variable_that_is_missing_or_empty(
    environment: pytest.MonkeyPatch, kind: type[Client]
) -> None:
    environment.delenv("SMSIGN_APP_KEY")
    environment.setenv("SMSIGN_MASTER_SECRET", "")
    with pytest.raises(ValueError, match=r": SMSIGN_APP_KEY, SMSIGN_MASTER_SECRET$"):
        kind.from_env()


def test_from_env_ignores_the_profiles_of_the_command_line(
    environment: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "smsign").mkdir()
    (tmp_path / "smsign/config.toml").write_text(
        'default = "a"\n[profile.a]\nurl = "https://other.example.com"\n'
    )
    environment.setenv("XDG_CONFIG_HOME", str(tmp_path))
    environment.delenv("SMSIGN_URL")
    with pytest.raises(ValueError, match="SMSIGN_URL"):
        Client.from_env()


class Session:
    """As `requests.Session`, which is not installed."""


Session.__module__ = "requests.sessions"


@pytest.mark.parametrize(
    ("kind", "http", "found", "fix"),
    [
        (Client, Session(), "requests.Session is not an httpx2.Client", "pass an httpx2.Client with your"),
        (
            AsyncClient,
            Session(),
            "requests.Session is not an httpx2.AsyncClient",
            "pass an httpx2.AsyncClient",
        ),
        (Client, httpx.Client(), "httpx.Client is not an httpx2.Client", "pass an httpx2.Client with your"),
        (Client, httpx2.AsyncClient(), "httpx2.AsyncClient is not an httpx2.Client", "pass an httpx2.Client"),
        (
            AsyncClient,
            httpx2.Client(),
            "httpx2.Client is not an httpx2.AsyncClient",
            "pass an httpx2.AsyncClient",
        ),
        (Client, httpx2.Client, "httpx2.Client is not an httpx2.Client", "pass an instance: httpx2.Client()"),
        (
            Client,
            httpx2.MockTransport(lambda _: httpx2.Response(200)),
            "httpx2.MockTransport",
            "(transport=…)",
        ),
        (Client, "http://proxy", "builtins.str is not", "an httpx2.Client"),
        (Client, 0, "builtins.int is not", "an httpx2.Client"),
    ],
)
def test_a_client_of_another_library_is_an_error_that_says_what_to_pass(
    kind: Any, http: Any, found: str, fix: str
) -> None:
    with pytest.raises(TypeError) as error:
        kind("https://sms.example.com", "k", "s", http=http)
    assert str(error.value).startswith(f"http: {found}")
    assert fix in str(error.value)


def test_requests_name_the_version_of_the_sdk_and_of_python(
    fake_service: Callable[..., FakeService], connect: Make
) -> None:
    service = fake_service(lambda *_: response(200, SIGN))
    connect(service.url).get_sign(7)
    python = ".".join(map(str, sys.version_info[:3]))
    assert service.header(0, "user-agent") == f"smsign/{__version__} (python {python}; {sys.platform})"


def test_a_result_has_the_id_of_its_request(fake_service: Callable[..., FakeService], connect: Make) -> None:
    service = fake_service(
        lambda n, request: response(200, LIST if b" /v1/signs?" in request else SIGN, f"X-Request-Id: r{n}")
    )
    client = connect(service.url)
    first, second = client.get_sign(7), client.get_sign(7)
    assert (first.request_id, second.request_id) == ("r0", "r1")
    assert first == second
    page = client.list_signs()
    assert (page.request_id, page.items[0].request_id) == ("r2", "r2")
    assert [each.request_id for each in client.iter_signs()] == ["r3"]
    assert client.get_in_use().request_id == "r4"  # type: ignore[union-attr]


def test_the_request_id_of_a_result_is_empty_where_the_service_sends_none(
    fake_service: Callable[..., FakeService], connect: Make
) -> None:
    service = fake_service(lambda *_: response(200, SIGN))
    assert connect(service.url).get_sign(7).request_id == ""


@pytest.mark.process
def test_the_request_id_is_that_of_the_log(server: Server, app: Key, client: Client) -> None:
    results = (client.get_sign(client.create_sign("极光推送")), client.get_app(), client.check_sign("极光"))
    ids = {result.request_id for result in results}
    assert len(ids) == 3
    deadline = time.monotonic() + 5
    while not all(each in server.log.read_text("utf-8") for each in ids):
        assert time.monotonic() < deadline, "the log is written every 0.2 s"
        time.sleep(0.05)
