"""Basic authentication, rotation of secrets, throttling of wrong secrets (brute force)."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.api import raw
from tests.api.raw import Response, basic
from tests.running import Key, Server

WRONG = "0" * 24


def authenticate(server: Server, auth: str | None, *, head: str = "", source: str = "127.0.0.1") -> Response:
    """Query an id that does not exist: 50102 means that the authentication passed."""
    return raw.send(server, raw.request("GET", "/v1/sign/0", auth=auth, head=head), source=source)


def encoded(text: bytes | str) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@pytest.mark.parametrize("auth", [None, "", " ", "\t "])
def test_a_missing_or_empty_authorization_is_50001(server: Server, auth: str | None) -> None:
    response = authenticate(server, auth)
    assert (response.status, response.code) == (400, 50001)
    assert "www-authenticate" not in response.headers


@pytest.mark.process
def test_a_client_that_waits_for_a_challenge_never_authenticates(server: Server, reader: Key) -> None:
    """The contract answers 400 and not 401, so the credentials have to be in the first request."""
    url = f"{server.url}/v1/sign/0"
    for flags, code in ((["--anyauth"], 50001), ([], 50102)):
        command = ["curl", "-s", *flags, "-u", ":".join(reader.auth), url]
        printed = subprocess.run(command, capture_output=True, check=True).stdout
        error = json.loads(printed)["error"]
        assert error["code"] == code
        assert code != 50001 or "first request" in error["details"][0]["hint"]


@pytest.mark.parametrize(
    "auth",
    [
        "Basic",
        "Basic ",
        "Basic :",
        "Basic !!!!",
        "Basic YWJj=",
        "Basic YQ",
        f"Basic {encoded('nocolon')}",
        f"Basic {encoded(':')}",
        f"Basic {encoded(':' + WRONG)}",
        f"Basic {encoded(WRONG + ':')}",
        f"Basic {encoded(bytes.fromhex('fffe3aff'))}",
        f"Basic {encoded('a' + chr(0) + 'b:c')}",
        f"Basic {encoded('a:b' + chr(0) + 'c')}",
        f"Basic {encoded('k' * 65 + ':c')}",
        f"Basic {encoded('钥匙:秘密')}",
        f"Basic {encoded('a:b')} {encoded('a:b')}",
        f"Bearer {encoded('a:b')}",
        f"BasicX {encoded('a:b')}",
        encoded("a:b"),
        "Digest username=a",
        "Basic \xe6\x9e\x81",
    ],
)
def test_a_malformed_authorization_is_50002(server: Server, auth: str) -> None:
    response = authenticate(server, auth)
    assert (response.status, response.code) == (401, 50002)
    assert response.headers["www-authenticate"].startswith("Basic ")
    assert [detail["field"] for detail in response.details] == ["Authorization"]


@pytest.mark.parametrize("kind", ["Basic ", "basic ", "BASIC ", "Basic   "])
def test_the_scheme_is_case_insensitive(server: Server, reader: Key, kind: str) -> None:
    assert authenticate(server, kind + basic(reader).removeprefix("Basic ")).code == 50102


def test_an_unknown_key_and_a_wrong_secret_get_the_same_response(server: Server, app: Key) -> None:
    wrong = authenticate(server, basic(Key(app.app_key, WRONG)))
    unknown = authenticate(server, basic(Key(WRONG, app.master_secret)))
    assert (wrong.status, wrong.body) == (unknown.status, unknown.body) == (401, wrong.body)


@pytest.mark.parametrize("change", [str.upper, lambda text: text[:-1], lambda text: text + "0"])
def test_an_almost_right_secret_is_wrong(server: Server, app: Key, change: Callable[[str], str]) -> None:
    secret = change(app.master_secret)
    assert secret == app.master_secret or authenticate(server, basic(Key(app.app_key, secret))).code == 50002


def test_the_log_never_contains_a_secret(server: Server, app: Key) -> None:
    assert authenticate(server, basic(app), head="X-Request-Id: a-right-one\r\n").code == 50102
    assert (
        authenticate(
            server, basic(Key(app.app_key, "5ec2e7" * 4)), head="X-Request-Id: a-wrong-one\r\n"
        ).status
        == 401
    )
    deadline = time.monotonic() + 5
    while "a-wrong-one" not in (log := server.log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "a-wrong-one" in log
    assert app.master_secret not in log
    assert "5ec2e7" not in log
    assert basic(app).removeprefix("Basic ") not in log


@pytest.mark.process
def test_a_closed_application_is_50008_until_it_is_opened(server: Server, app: Key) -> None:
    sign_id = raw.create(server, app).sign_id
    assert server.run("app", "close", app.app_key).returncode == 0
    for response in (
        raw.query(server, app, sign_id),
        raw.create(server, app),
        raw.modify(server, app, sign_id),
        raw.delete(server, app, sign_id),
    ):
        assert (response.status, response.code) == (403, 50008)
    assert authenticate(server, basic(Key(app.app_key, WRONG))).code == 50002
    assert server.run("app", "open", app.app_key).returncode == 0
    assert raw.query(server, app, sign_id).status == 200


@pytest.mark.process
def test_during_a_rotation_both_secrets_work_and_after_it_only_the_new_one(server: Server, app: Key) -> None:
    def rotate(*more: str) -> Key:
        return Key(app.app_key, server.json("app", "rotate", app.app_key, *more)["master_secret"])

    second = rotate("--overlap", "3600")
    assert second.master_secret != app.master_secret
    assert [authenticate(server, basic(key)).code for key in (app, second)] == [50102, 50102]
    third = rotate("--overlap", "3600")
    assert [authenticate(server, basic(key)).code for key in (app, second, third)] == [50002, 50102, 50102]
    fourth = rotate()
    assert [authenticate(server, basic(key)).code for key in (second, third, fourth)] == [50002, 50002, 50102]


@pytest.mark.slow
def test_the_old_secret_expires_after_the_overlap(server: Server, app: Key) -> None:
    new = server.json("app", "rotate", app.app_key, "--overlap", "2")["master_secret"]
    rotated_at = time.monotonic()
    assert authenticate(server, basic(app)).code == 50102
    time.sleep(max(0.0, rotated_at + 2.1 - time.monotonic()))
    assert authenticate(server, basic(app)).code == 50002
    assert authenticate(server, basic(Key(app.app_key, new))).code == 50102


def send_wrong_secrets(
    server: Server, app: Key, *, source: str = "127.0.0.1", head: str = "", times: int = 10
) -> None:
    for _ in range(times):
        assert authenticate(server, basic(Key(app.app_key, WRONG)), source=source, head=head).code == 50002


def test_wrong_secrets_throttle_only_the_address_that_sent_them(server: Server, app: Key) -> None:
    send_wrong_secrets(server, app)
    throttled = authenticate(server, basic(Key(app.app_key, WRONG)))
    assert (throttled.status, throttled.code) == (429, 50009)
    assert throttled.json()["error"]["message"] == "out of freq"
    assert 50 <= int(throttled.headers["retry-after"]) <= 60
    right = authenticate(server, basic(app))
    assert (right.status, right.code) == (429, 50009)
    assert authenticate(server, basic(app), source="127.0.0.2").code == 50102


def test_wrong_secrets_throttle_only_the_application_they_are_for(
    server: Server, app: Key, reader: Key
) -> None:
    send_wrong_secrets(server, app)
    assert authenticate(server, basic(app)).code == 50009
    assert authenticate(server, basic(reader)).code == 50102


def test_brute_force_from_many_addresses_does_not_lock_out_another_address(server: Server, app: Key) -> None:
    for last in range(10, 20):
        send_wrong_secrets(server, app, source=f"127.0.0.{last}")
    assert authenticate(server, basic(app), source="127.0.0.9").code == 50102
    assert authenticate(server, basic(app), source="127.0.0.10").code == 50009


def test_a_right_secret_does_not_reset_the_count_of_wrong_ones(server: Server, app: Key) -> None:
    for expected in (50102, 50102, 50102, 50102, 50009):
        send_wrong_secrets(server, app, times=2)
        assert authenticate(server, basic(app)).code == expected


def test_malformed_headers_do_not_count_as_wrong_secrets(server: Server, app: Key) -> None:
    for _ in range(30):
        assert authenticate(server, f"Basic {encoded('no colon')}").code == 50002
    assert authenticate(server, basic(app)).code == 50102


@pytest.mark.slow
def test_the_count_of_wrong_secrets_ends_with_the_window(start: Callable[..., Server]) -> None:
    server = start(auth_failures=3, auth_window=2)
    app = server.make_app()
    send_wrong_secrets(server, app, times=3)
    throttled = authenticate(server, basic(app))
    assert throttled.code == 50009
    time.sleep(int(throttled.headers["retry-after"]) + 0.1)
    assert authenticate(server, basic(app)).code == 50102
    send_wrong_secrets(server, app, times=3)
    assert authenticate(server, basic(app)).code == 50009


def test_x_forwarded_for_is_ignored_without_trusted_proxies(server: Server, app: Key) -> None:
    for last in range(10):
        send_wrong_secrets(server, app, head=f"X-Forwarded-For: 10.0.0.{last}\r\n", times=1)
    assert authenticate(server, basic(app), head="X-Forwarded-For: 10.0.0.99\r\n").code == 50009


def test_behind_a_trusted_proxy_the_forwarded_address_is_throttled(start: Callable[..., Server]) -> None:
    server = start(trusted_proxies="127.0.0.0/8, 10.9.0.0/16")
    app = server.make_app()

    def forwarded(text: str) -> str:
        return f"X-Forwarded-For: {text}\r\n"

    send_wrong_secrets(server, app, head=forwarded("203.0.113.5"))
    right = basic(app)
    assert authenticate(server, right, head=forwarded("203.0.113.5")).code == 50009
    assert authenticate(server, right, head=forwarded("203.0.113.6")).code == 50102
    assert authenticate(server, right).code == 50102
    # Read from the right, past the trusted proxies: what a client makes up is further left.
    assert authenticate(server, right, head=forwarded("198.51.100.1, 203.0.113.5")).code == 50009
    assert authenticate(server, right, head=forwarded("203.0.113.5, 203.0.113.6")).code == 50102
    assert authenticate(server, right, head=forwarded("203.0.113.5, 10.9.1.1")).code == 50009
    assert authenticate(server, right, head=forwarded("1.1.1.1") + forwarded("203.0.113.5")).code == 50009
    for made_up in ("", ",", " , ,", "not an address", "::1%eth0", "'; DROP TABLE app; --", "a" * 9000):
        assert authenticate(server, right, head=forwarded(made_up)).code == 50102


def test_two_x_forwarded_for_headers_count_as_one_list(start: Callable[..., Server]) -> None:
    """RFC 9110, 5.3: a reverse proxy may add a header instead of extending the existing one."""
    server = start(trusted_proxies="127.0.0.0/8, 10.9.0.0/16")
    app = server.make_app()
    send_wrong_secrets(server, app, head="X-Forwarded-For: 203.0.113.5\r\n")
    lines = "X-Forwarded-For: 203.0.113.5\r\nX-Forwarded-For: 10.9.1.1\r\n"
    assert authenticate(server, basic(app), head=lines).code == 50009
