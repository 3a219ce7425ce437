"""Two-factor authentication: codes work once and cannot be guessed; a change needs the old one."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from smsign.actions import totp
from smsign.domain.accounts import CODES_MAX, WAIT_MAX_S, wait_after
from tests.running import PASSWORD, Server

pytestmark = pytest.mark.process


def _code(secret: str, steps: int = 0) -> str:
    return totp._totp(secret).generate(int(time.time()) + steps * totp.STEP_S).decode()


def _enrol(visitor: httpx.Client, **more: str) -> tuple[str, httpx.Response]:
    """Turn the second factor on with a new secret; return the secret and the response."""
    page = visitor.get("/console/me/totp").text
    secret = re.findall(r"<code class=\"break\">(\w+)</code>", page)[0]
    sealed = re.findall(r'name="sealed" value="(\w+)"', page)[0]
    data = {"sealed": sealed, "code": _code(secret), "password": PASSWORD} | more
    return secret, visitor.post("/console/me/totp", data=data)


def _recovery_codes(response: httpx.Response) -> list[str]:
    return re.findall(r"<code>([0-9a-f]{6}-[0-9a-f]{6})</code>", response.text)


@contextmanager
def _sign_in(server: Server, name: str, address: str = "") -> Iterator[httpx.Client]:
    """Give the password; the code is still missing."""
    with server.visitor() as visitor:
        if address:
            visitor.headers["X-Forwarded-For"] = address
        response = visitor.post("/console/sign-in", data={"name": name, "password": PASSWORD})
        assert response.headers["location"] == "/console/sign-in/code"
        yield visitor


@pytest.fixture
def secret(server: Server, name: str) -> str:
    """An account with a second factor."""
    with server.visitor(server.make_account(name, "owner")) as visitor:
        secret, done = _enrol(visitor)
        assert len(_recovery_codes(done)) == totp.RECOVERY_CODES
    return secret


def test_two_factor_authentication_is_required_and_each_code_works_once(
    server: Server, name: str, secret: str
) -> None:
    with _sign_in(server, name) as visitor:
        assert visitor.get("/console/me").status_code == 303, "the password alone does not sign in"
        enrolled = visitor.post("/console/sign-in/code", data={"code": _code(secret)})
        assert enrolled.status_code == 401, "the code of the enrolment was used"
        code = _code(secret, 1)
        assert visitor.post("/console/sign-in/code", data={"code": code}).status_code == 303
        assert visitor.get("/console/me").status_code == 200
    with _sign_in(server, name) as visitor:
        assert visitor.post("/console/sign-in/code", data={"code": code}).status_code == 401


def test_a_recovery_code_works_once_and_is_shown_to_its_owner(server: Server, name: str) -> None:
    with server.visitor(server.make_account(name, "owner")) as visitor:
        codes = _recovery_codes(_enrol(visitor)[1])
    with _sign_in(server, name) as visitor:
        assert visitor.post("/console/sign-in/code", data={"code": codes[0]}).status_code == 303
        page = visitor.get("/console/me").text
        assert "recovery code used" in page
        assert "two-factor authentication changed" in page
    with _sign_in(server, name) as visitor:
        assert visitor.post("/console/sign-in/code", data={"code": codes[0]}).status_code == 401


def test_codes_cannot_be_guessed_from_many_addresses(start: Callable[..., Server], name: str) -> None:
    server = start(trusted_proxies="127.0.0.1/32", workers=2)
    with server.visitor(server.make_account(name, "owner")) as visitor:
        secret, _ = _enrol(visitor)

    def guess(number: int) -> int:
        with _sign_in(server, name, f"2001:db8:{number:x}::1") as visitor:
            return visitor.post("/console/sign-in/code", data={"code": f"{number:06d}"}).status_code

    with ThreadPoolExecutor(4) as threads:
        statuses = list(threads.map(guess, range(40)))
    assert statuses.count(401) + statuses.count(422) == CODES_MAX
    assert statuses.count(429) == 40 - CODES_MAX
    with _sign_in(server, name, "2001:db8::7") as visitor:
        right = visitor.post("/console/sign-in/code", data={"code": _code(secret, 1)})
        assert right.status_code == 429, "no code is looked at"
        assert 0 < int(right.headers["retry-after"]) <= wait_after(CODES_MAX)
    assert server.log.read_text().count('"second factor failed"') == CODES_MAX
    assert server.run("events", "verify").returncode == 0


def test_five_wrong_codes_need_the_password_again(server: Server, name: str, secret: str) -> None:
    with _sign_in(server, name) as visitor:
        statuses = [
            visitor.post("/console/sign-in/code", data={"code": "no"}).status_code for _ in range(CODES_MAX)
        ]
        assert statuses == [401] * (CODES_MAX - 1) + [422]
        again = visitor.post("/console/sign-in/code", data={"code": _code(secret, 1)})
        assert again.status_code == 422, "the sign-in starts again"


def test_the_second_factor_is_changed_with_the_password_and_the_old_code_only(
    server: Server, name: str
) -> None:
    token = server.make_account(name, "owner")
    with server.visitor(token) as visitor:
        assert _enrol(visitor, password="wrong wrong wrong")[1].status_code == 422
        secret, done = _enrol(visitor)
        codes = _recovery_codes(done)
        for missing in ({}, {"old_code": "000000"}, {"old_code": codes[0], "password": "wrong wrong"}):
            assert _enrol(visitor, **missing)[1].status_code == 422
        assert visitor.post("/console/me/totp/off", data={"password": PASSWORD}).status_code == 422
        assert len(_recovery_codes(_enrol(visitor, old_code=_code(secret, 1))[1])) == totp.RECOVERY_CODES
        page = visitor.get("/console/me").text
        assert "wrong verification code" in page
        assert page.count("two-factor authentication changed") == 2


def test_the_waits_grow_up_to_an_hour() -> None:
    assert [wait_after(n) for n in (0, 4, 5, 6, 7)] == [0, 0, 30, 60, 120]
    assert wait_after(10_000) == WAIT_MAX_S
