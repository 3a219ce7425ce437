"""Sign-in, sessions, two-factor authentication and throttling, on both engines."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from smsign.console.session import ADDRESS_FACTOR
from tests.running import PASSWORD, Server

pytestmark = pytest.mark.process


def _sign_in(server: Server, name: str, password: str = PASSWORD) -> tuple[httpx.Client, httpx.Response]:
    visitor = server.visitor()
    return visitor, visitor.post("/console/sign-in", data={"name": name, "password": password})


def _status(server: Server, name: str, password: str = PASSWORD) -> int:
    visitor, response = _sign_in(server, name, password)
    visitor.close()
    return response.status_code


def test_a_session_is_new_at_each_sign_in_and_ends_at_sign_out(server: Server, name: str) -> None:
    server.make_account(name, "owner")
    visitor, response = _sign_in(server, name)
    assert response.headers["location"] == "/console/apps"
    cookie = response.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    first = visitor.cookies["smsign_session"]
    visitor.post("/console/sign-in", data={"name": name, "password": PASSWORD})
    second = visitor.cookies["smsign_session"]
    assert first != second
    with server.visitor(first) as old:
        assert old.get("/console/me").status_code == 303, "the session before has ended"
    visitor.post("/console/sign-out")
    with server.visitor(second) as old:
        assert old.get("/console/me").status_code == 303
    visitor.close()


def test_sign_in_never_adopts_a_session_token_of_the_browser(server: Server, name: str) -> None:
    server.make_account(name, "owner")
    with server.visitor("chosen-by-an-attacker") as visitor:
        response = visitor.post("/console/sign-in", data={"name": name, "password": PASSWORD})
        assert "chosen-by-an-attacker" not in response.headers["set-cookie"]
    with server.visitor("chosen-by-an-attacker") as visitor:
        assert visitor.get("/console/me").status_code == 303


@pytest.mark.slow
def test_failed_sign_ins_are_throttled_by_name_and_address(server: Server, name: str) -> None:
    server.make_account(name, "owner")
    for _ in range(10):
        visitor, response = _sign_in(server, name, "wrong wrong wrong")
        assert response.status_code == 401
        visitor.close()
    visitor, response = _sign_in(server, name)
    assert response.status_code == 429
    assert re.search(r"Wait \d+ seconds", response.text)
    visitor.close()
    other = f"{name}x"
    server.make_account(other, "owner")
    visitor, response = _sign_in(server, other)
    assert response.status_code == 303
    visitor.close()


@pytest.mark.slow
def test_failed_sign_ins_are_throttled_by_address_over_all_names(
    start: Callable[..., Server], name: str
) -> None:
    server = start(auth_failures=1)
    server.make_account(name, "owner")
    for guess in range(ADDRESS_FACTOR):
        assert _status(server, f"{name}{guess}", "wrong wrong wrong") == 401
    assert _status(server, name) == 429


def test_a_user_ends_a_session_from_the_list(server: Server, name: str) -> None:
    token = server.make_account(name, "owner")
    other, _ = _sign_in(server, name)
    with server.visitor(token) as visitor:
        page = visitor.get("/console/me").text
        (number,) = re.findall(r"/console/me/sessions/(\d+)/end", page)
        visitor.post(f"/console/me/sessions/{number}/end")
    assert other.get("/console/me").status_code == 303
    other.close()


def test_a_user_cannot_end_another_users_session(server: Server, name: str) -> None:
    token = server.make_account(name, "owner")
    server.make_account(f"{name}y", "owner")
    other, _ = _sign_in(server, f"{name}y")
    with server.visitor(token) as visitor:
        for number in range(1, 40):
            visitor.post(f"/console/me/sessions/{number}/end")
    assert other.get("/console/me").status_code == 200
    other.close()


def test_a_new_password_ends_the_other_sessions(server: Server, name: str) -> None:
    token = server.make_account(name, "owner")
    other, _ = _sign_in(server, name)
    with server.visitor(token) as visitor:
        wrong = visitor.post("/console/me/password", data={"old": "no", "password": "another long one"})
        assert wrong.status_code == 422
        done = visitor.post("/console/me/password", data={"old": PASSWORD, "password": "another long one"})
        assert done.status_code == 303
        assert visitor.get("/console/me").status_code == 200
    assert other.get("/console/me").status_code == 303
    other.close()
    assert _status(server, name) == 401
    assert _status(server, name, "another long one") == 303
