"""Sign-in, sessions, the second factor, links: over HTTP, as a browser does it, on both engines."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable

import httpx
import pytest

from smsign.actions import totp
from smsign.console import people
from smsign.console.translations import words
from tests.running import PASSWORD, Server

pytestmark = pytest.mark.process


@pytest.fixture
def name() -> str:
    return f"p{secrets.token_hex(4)}"


def _sign_in(server: Server, name: str, password: str = PASSWORD) -> tuple[httpx.Client, httpx.Response]:
    visitor = server.visitor()
    return visitor, visitor.post("/console/sign-in", data={"name": name, "password": password})


def _status(server: Server, name: str, password: str = PASSWORD) -> int:
    visitor, answer = _sign_in(server, name, password)
    visitor.close()
    return answer.status_code


def test_a_session_is_new_at_each_sign_in_and_ends_at_sign_out(server: Server, name: str) -> None:
    server.make_account(name, "owner")
    visitor, answer = _sign_in(server, name)
    assert answer.headers["location"] == "/console/apps"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    first = visitor.cookies["smsign_session"]
    visitor.post("/console/sign-in", data={"name": name, "password": PASSWORD})
    second = visitor.cookies["smsign_session"]
    assert first != second
    with server.visitor(first) as old:
        assert old.get("/console/me").status_code == 303, "the session before is over"
    visitor.post("/console/sign-out")
    with server.visitor(second) as old:
        assert old.get("/console/me").status_code == 303
    visitor.close()


def test_a_session_that_was_set_from_outside_is_not_taken(server: Server, name: str) -> None:
    server.make_account(name, "owner")
    with server.visitor("chosen-by-an-attacker") as visitor:
        answer = visitor.post("/console/sign-in", data={"name": name, "password": PASSWORD})
        assert "chosen-by-an-attacker" not in answer.headers["set-cookie"]
    with server.visitor("chosen-by-an-attacker") as visitor:
        assert visitor.get("/console/me").status_code == 303


@pytest.mark.slow
def test_guesses_are_throttled_for_name_and_address_together(server: Server, name: str) -> None:
    server.make_account(name, "owner")
    for _ in range(10):
        visitor, answer = _sign_in(server, name, "wrong wrong wrong")
        assert answer.status_code == 401
        visitor.close()
    visitor, answer = _sign_in(server, name)
    assert answer.status_code == 429
    assert re.search(r"Wait \d+ seconds", answer.text)
    visitor.close()
    other = f"{name}x"
    server.make_account(other, "owner")
    visitor, answer = _sign_in(server, other)
    assert answer.status_code == 303
    visitor.close()


@pytest.mark.slow
def test_an_address_that_guesses_at_many_names_must_wait_too(start: Callable[..., Server], name: str) -> None:
    server = start(auth_failures=1)
    server.make_account(name, "owner")
    for guess in range(people.NAMES):
        assert _status(server, f"{name}{guess}", "wrong wrong wrong") == 401
    assert _status(server, name) == 429


def test_sessions_are_listed_and_revocable(server: Server, name: str) -> None:
    token = server.make_account(name, "owner")
    other, _ = _sign_in(server, name)
    with server.visitor(token) as visitor:
        page = visitor.get("/console/me").text
        (number,) = re.findall(r"/console/me/sessions/(\d+)/end", page)
        visitor.post(f"/console/me/sessions/{number}/end")
    assert other.get("/console/me").status_code == 303
    other.close()


def test_nobody_ends_anothers_session(server: Server, name: str) -> None:
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


def test_the_second_factor_is_asked_for_and_each_code_works_once(server: Server, name: str) -> None:
    token = server.make_account(name, "owner")
    with server.visitor(token) as visitor:
        page = visitor.get("/console/me/totp").text
        secret = re.findall(r"<code class=\"break\">(\w+)</code>", page)[0]
        sealed = re.findall(r'name="sealed" value="(\w+)"', page)[0]
        wrong = visitor.post("/console/me/totp", data={"sealed": sealed, "code": "000000"})
        assert wrong.status_code in (200, 422)
        done = visitor.post("/console/me/totp", data={"sealed": sealed, "code": _code(secret)})
        codes = re.findall(r"<code>([0-9a-f]{6}-[0-9a-f]{6})</code>", done.text)
        assert len(codes) == totp.RECOVERY_CODES

    visitor, answer = _sign_in(server, name)
    assert answer.headers["location"] == "/console/sign-in/code"
    assert visitor.get("/console/me").status_code == 303, "the password alone is not enough"
    code = _code(secret)
    assert visitor.post("/console/sign-in/code", data={"code": code}).status_code == 303
    assert visitor.get("/console/me").status_code == 200
    visitor.close()

    visitor, _ = _sign_in(server, name)
    assert visitor.post("/console/sign-in/code", data={"code": code}).status_code == 401, "a code, once"
    assert visitor.post("/console/sign-in/code", data={"code": codes[0]}).status_code == 303
    visitor.close()
    visitor, _ = _sign_in(server, name)
    assert visitor.post("/console/sign-in/code", data={"code": codes[0]}).status_code == 401
    visitor.close()


def _code(secret: str) -> str:
    return totp._totp(secret).generate(int(time.time())).decode()


def test_a_link_works_once_and_its_token_is_not_logged(server: Server, name: str) -> None:
    path = server.json("account", "invite", "--role", "auditor")["path"]
    with server.visitor() as visitor:
        short = visitor.post(path, data={"name": name, "password": "short"})
        assert short.status_code == 422
        assert visitor.post(path, data={"name": name, "password": PASSWORD}).status_code == 303
        assert visitor.get("/console/desk").status_code == 200
        assert visitor.get(path).status_code == 404
        assert visitor.post(path, data={"name": f"{name}z", "password": PASSWORD}).status_code == 404
    time.sleep(0.3)
    log = server.log.read_text()
    assert path.rpartition("/")[2] not in log
    assert PASSWORD not in log


def test_an_operator_lets_a_person_back_in(server: Server, name: str) -> None:
    server.make_account(name, "owner")
    path = server.json("account", "reset", name)["path"]
    with server.visitor() as visitor:
        assert name in visitor.get(path).text
        assert visitor.post(path, data={"password": "a third long one"}).status_code == 303
    assert _status(server, name, "a third long one") == 303
    assert any(each["name"] == name for each in server.json("account", "list"))
    assert server.run("account", "reset", "nobody.at.all").returncode == 1


def test_a_disabled_account_is_out_at_once_and_the_last_admin_stays(server: Server, name: str) -> None:
    admin = server.make_account(name, "admin")
    token = server.make_account(f"{name}w", "owner")
    with server.visitor(admin) as visitor:
        page = visitor.get(f"/console/accounts?after={name}").text
        number = re.findall(rf'/console/accounts/(\d+)"><b>{name}w<', page)[0]
        assert visitor.post(f"/console/accounts/{number}", data={"role": "owner"}).status_code == 303
    with server.visitor(token) as visitor:
        assert visitor.get("/console/me").status_code == 303
    assert _status(server, f"{name}w") == 401


def test_a_reason_says_what_the_admin_wrote(start: Callable[..., Server], name: str) -> None:
    server = start()  # texts are everybody's
    admin = server.make_account(name, "admin")
    texts = {"title_en": "Blurred", "title_zh": "模糊", "advice_en": "Scan it.", "advice_zh": "请扫描。"}
    with server.visitor(admin) as visitor:
        assert visitor.post("/console/reasons", data={"code": "unreadable"} | texts).status_code == 303
        assert visitor.post("/console/reasons", data={"code": "mood"} | texts).status_code == 404
        wrong = visitor.post("/console/reasons", data={"code": "unreadable"} | texts | {"title_zh": ""})
        assert wrong.status_code == 422
    key = server.make_app()
    url = f"{server.url}/v1/sign"
    made = httpx.post(url, auth=key.auth, data={"sign": "原因"}, files={"x": b""})
    server.decide(made.json()["sign_id"], passed=False, reasons=("unreadable",))
    told = httpx.get(f"{url}/{made.json()['sign_id']}", auth=key.auth).json()
    assert told["refuse_reason"] == "Blurred: Scan it."


def test_many_are_decided_at_once_but_for_what_another_has(server: Server, name: str) -> None:
    one, two = (server.make_account(f"{name}{each}", "auditor") for each in "ab")
    url = f"{server.url}/v1/sign"
    keys = server.make_apps(3)
    ids = [
        httpx.post(url, auth=key.auth, data={"sign": "批量"}, files={"x": b""}).json()["sign_id"]
        for key in keys
    ]
    with server.visitor(two) as other:
        assert other.post(f"/console/desk/{ids[0]}/take").status_code == 303
    with server.visitor(one) as visitor:
        chosen = [f"{each}:1" for each in ids]
        for said in ({"verdict": "refuse"}, {"verdict": "pass", "reason": "format"}, {"verdict": ""}):
            none = visitor.post("/console/desk", data=said | {"id": chosen})
            assert none.status_code == 422, "a refusal needs a reason, and what passes has none"
        done = visitor.post(
            "/console/desk",
            data={"verdict": "refuse", "reason": "format", "id": chosen},
        )
        assert done.headers["location"].endswith("n=2&failed=1")
        told = visitor.get(f"/console/desk/{ids[0]}")
        assert told.status_code == 409
        assert f"{name}b took it" in told.text
    states = [httpx.get(f"{url}/{ids[n]}", auth=key.auth).json()["status"] for n, key in enumerate(keys)]
    assert states == [0, 2, 2]


def test_the_words_of_both_languages_are_complete() -> None:
    from pathlib import Path

    from smsign import console
    from smsign.domain import audits
    from smsign.domain.events import Kind, Subject

    folder = Path(console.__file__).parent
    said: set[str] = set()
    for file in [*folder.glob("templates/*.html"), *folder.glob("*.py")]:
        text = file.read_text("utf-8")
        said |= set(re.findall(r'\bt\("((?:[^"\\]|\\.)*)"[,)]', text))
        for keys in re.findall(r"keys = \[(.*?)\] %}", text):
            said |= set(re.findall(r', "([^"]+)"\)', keys))
    made = {f"event {kind}" for kind in Kind} | {f"subject {subject}" for subject in Subject}
    made |= {f"field {field}" for field in audits.FIELDS}
    assert made <= set(words("en"))
    assert said | made <= set(words("zh"))
