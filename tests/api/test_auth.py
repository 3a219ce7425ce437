"""Basic authentication, the rotation of secrets, and the throttle on guesses."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

import pytest

from tests.api import raw
from tests.api.raw import Answer, basic
from tests.running import Key, Server

WRONG = "0" * 24


def ask(server: Server, auth: str | None, *, head: str = "", source: str = "127.0.0.1") -> Answer:
    """Query an id that no application has: 50102 means that the authentication passed."""
    return raw.send(server, raw.request("GET", "/v1/sign/0", auth=auth, head=head), source=source)


def encoded(text: bytes | str) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@pytest.mark.parametrize("auth", [None, "", " ", "\t "])
def test_a_missing_or_empty_header_is_50001(server: Server, auth: str | None) -> None:
    answer = ask(server, auth)
    assert (answer.status, answer.code) == (400, 50001)
    assert "www-authenticate" not in answer.headers


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
def test_a_malformed_header_is_50002(server: Server, auth: str) -> None:
    answer = ask(server, auth)
    assert (answer.status, answer.code) == (401, 50002)
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert [detail["field"] for detail in answer.details] == ["Authorization"]


@pytest.mark.parametrize("kind", ["Basic ", "basic ", "BASIC ", "Basic   "])
def test_the_scheme_is_read_in_any_case(server: Server, reader: Key, kind: str) -> None:
    assert ask(server, kind + basic(reader).removeprefix("Basic ")).code == 50102


def test_an_unknown_key_and_a_wrong_secret_look_the_same(server: Server, app: Key) -> None:
    wrong = ask(server, basic(Key(app.app_key, WRONG)))
    unknown = ask(server, basic(Key(WRONG, app.master_secret)))
    assert (wrong.status, wrong.body) == (unknown.status, unknown.body) == (401, wrong.body)


@pytest.mark.parametrize("change", [str.upper, lambda text: text[:-1], lambda text: text + "0"])
def test_a_secret_that_is_nearly_right_is_wrong(
    server: Server, app: Key, change: Callable[[str], str]
) -> None:
    secret = change(app.master_secret)
    assert secret == app.master_secret or ask(server, basic(Key(app.app_key, secret))).code == 50002


def test_no_secret_is_ever_in_the_log(server: Server, app: Key) -> None:
    assert ask(server, basic(app), head="X-Request-Id: a-right-one\r\n").code == 50102
    assert (
        ask(server, basic(Key(app.app_key, "5ec2e7" * 4)), head="X-Request-Id: a-wrong-one\r\n").status == 401
    )
    deadline = time.monotonic() + 5
    while "a-wrong-one" not in (log := server.log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "a-wrong-one" in log
    assert app.master_secret not in log
    assert "5ec2e7" not in log
    assert basic(app).removeprefix("Basic ") not in log


def test_a_closed_application_is_50008_until_it_is_opened(server: Server, app: Key) -> None:
    sign_id = raw.create(server, app).sign_id
    assert server.run("app", "close", app.app_key).returncode == 0
    for answer in (
        raw.query(server, app, sign_id),
        raw.create(server, app),
        raw.modify(server, app, sign_id),
        raw.delete(server, app, sign_id),
    ):
        assert (answer.status, answer.code) == (403, 50008)
    assert ask(server, basic(Key(app.app_key, WRONG))).code == 50002
    assert server.run("app", "open", app.app_key).returncode == 0
    assert raw.query(server, app, sign_id).status == 200


def test_during_a_rotation_both_secrets_work_and_after_it_only_the_new_one(server: Server, app: Key) -> None:
    def rotate(*more: str) -> Key:
        return Key(app.app_key, server.json("app", "rotate", app.app_key, *more)["master_secret"])

    second = rotate("--overlap", "3600")
    assert second.master_secret != app.master_secret
    assert [ask(server, basic(key)).code for key in (app, second)] == [50102, 50102]
    third = rotate("--overlap", "3600")
    assert [ask(server, basic(key)).code for key in (app, second, third)] == [50002, 50102, 50102]
    fourth = rotate()
    assert [ask(server, basic(key)).code for key in (second, third, fourth)] == [50002, 50002, 50102]


@pytest.mark.slow
def test_the_old_secret_ends_by_itself(server: Server, app: Key) -> None:
    new = server.json("app", "rotate", app.app_key, "--overlap", "2")["master_secret"]
    rotated_at = time.monotonic()
    assert ask(server, basic(app)).code == 50102
    time.sleep(max(0.0, rotated_at + 2.1 - time.monotonic()))
    assert ask(server, basic(app)).code == 50002
    assert ask(server, basic(Key(app.app_key, new))).code == 50102


def guess(server: Server, app: Key, *, source: str = "127.0.0.1", head: str = "", times: int = 10) -> None:
    for _ in range(times):
        assert ask(server, basic(Key(app.app_key, WRONG)), source=source, head=head).code == 50002


def test_guesses_from_one_address_are_throttled_there_and_nowhere_else(server: Server, app: Key) -> None:
    guess(server, app)
    throttled = ask(server, basic(Key(app.app_key, WRONG)))
    assert (throttled.status, throttled.code) == (429, 50009)
    assert throttled.json()["error"]["message"] == "out of freq"
    assert 50 <= int(throttled.headers["retry-after"]) <= 60
    right = ask(server, basic(app))
    assert (right.status, right.code) == (429, 50009)
    assert ask(server, basic(app), source="127.0.0.2").code == 50102


def test_another_application_at_the_same_address_is_not_throttled(
    server: Server, app: Key, reader: Key
) -> None:
    guess(server, app)
    assert ask(server, basic(app)).code == 50009
    assert ask(server, basic(reader)).code == 50102


def test_guesses_from_everywhere_never_stop_a_right_secret_from_another_address(
    server: Server, app: Key
) -> None:
    for last in range(10, 20):
        guess(server, app, source=f"127.0.0.{last}")
    assert ask(server, basic(app), source="127.0.0.9").code == 50102
    assert ask(server, basic(app), source="127.0.0.10").code == 50009


def test_a_right_secret_between_wrong_ones_wins_no_further_guesses(server: Server, app: Key) -> None:
    for expected in (50102, 50102, 50102, 50102, 50009):
        guess(server, app, times=2)
        assert ask(server, basic(app)).code == expected


def test_malformed_headers_throttle_nobody(server: Server, app: Key) -> None:
    for _ in range(30):
        assert ask(server, f"Basic {encoded('no colon')}").code == 50002
    assert ask(server, basic(app)).code == 50102


@pytest.mark.slow
def test_after_the_window_guesses_are_forgotten(start: Callable[..., Server]) -> None:
    server = start(auth_failures=3, auth_window=2)
    app = server.make_app()
    guess(server, app, times=3)
    throttled = ask(server, basic(app))
    assert throttled.code == 50009
    time.sleep(int(throttled.headers["retry-after"]) + 0.1)
    assert ask(server, basic(app)).code == 50102
    guess(server, app, times=3)
    assert ask(server, basic(app)).code == 50009


def test_without_trusted_proxies_a_forwarded_address_is_not_believed(server: Server, app: Key) -> None:
    for last in range(10):
        guess(server, app, head=f"X-Forwarded-For: 10.0.0.{last}\r\n", times=1)
    assert ask(server, basic(app), head="X-Forwarded-For: 10.0.0.99\r\n").code == 50009


def test_behind_a_trusted_proxy_the_forwarded_address_is_throttled(start: Callable[..., Server]) -> None:
    server = start(trusted_proxies="127.0.0.0/8, 10.9.0.0/16")
    app = server.make_app()

    def forwarded(text: str) -> str:
        return f"X-Forwarded-For: {text}\r\n"

    guess(server, app, head=forwarded("203.0.113.5"))
    right = basic(app)
    assert ask(server, right, head=forwarded("203.0.113.5")).code == 50009
    assert ask(server, right, head=forwarded("203.0.113.6")).code == 50102
    assert ask(server, right).code == 50102
    # Read from the right, past the proxies that are trusted: what a client made up stands further left.
    assert ask(server, right, head=forwarded("198.51.100.1, 203.0.113.5")).code == 50009
    assert ask(server, right, head=forwarded("203.0.113.5, 203.0.113.6")).code == 50102
    assert ask(server, right, head=forwarded("203.0.113.5, 10.9.1.1")).code == 50009
    assert ask(server, right, head=forwarded("1.1.1.1") + forwarded("203.0.113.5")).code == 50009
    for made_up in ("", ",", " , ,", "not an address", "::1%eth0", "'; DROP TABLE app; --", "a" * 9000):
        assert ask(server, right, head=forwarded(made_up)).code == 50102


def test_two_forwarded_headers_count_as_one_list(start: Callable[..., Server]) -> None:
    """RFC 9110, 5.3: a proxy may add a line in place of lengthening the one that came."""
    server = start(trusted_proxies="127.0.0.0/8, 10.9.0.0/16")
    app = server.make_app()
    guess(server, app, head="X-Forwarded-For: 203.0.113.5\r\n")
    lines = "X-Forwarded-For: 203.0.113.5\r\nX-Forwarded-For: 10.9.1.1\r\n"
    assert ask(server, basic(app), head=lines).code == 50009
