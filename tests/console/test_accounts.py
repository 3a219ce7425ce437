"""Invitations, accounts and refusal reasons, as an admin manages them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import httpx
import pytest

from tests.running import PASSWORD, Server

pytestmark = pytest.mark.process


def _sign_in(server: Server, name: str, password: str = PASSWORD) -> int:
    with server.visitor() as visitor:
        return visitor.post("/console/sign-in", data={"name": name, "password": password}).status_code


def test_an_invitation_works_once_and_its_token_is_not_logged(server: Server, name: str) -> None:
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


def test_an_operator_resets_a_password_on_the_command_line(server: Server, name: str) -> None:
    server.make_account(name, "owner")
    path = server.json("account", "reset", name)["path"]
    with server.visitor() as visitor:
        assert name in visitor.get(path).text
        assert visitor.post(path, data={"password": "a third long one"}).status_code == 303
    assert _sign_in(server, name, "a third long one") == 303
    assert any(each["name"] == name for each in server.json("account", "list"))
    assert server.run("account", "reset", "nobody.at.all").returncode == 1


def test_disabling_an_account_ends_its_sessions(server: Server, name: str) -> None:
    admin = server.make_account(name, "admin")
    token = server.make_account(f"{name}w", "owner")
    with server.visitor(admin) as visitor:
        page = visitor.get(f"/console/accounts?after={name}").text
        number = re.findall(rf'/console/accounts/(\d+)"><b>{name}w<', page)[0]
        assert visitor.post(f"/console/accounts/{number}", data={"role": "owner"}).status_code == 303
    with server.visitor(token) as visitor:
        assert visitor.get("/console/me").status_code == 303
    assert _sign_in(server, f"{name}w") == 401


def test_the_api_reports_a_reason_in_the_texts_of_the_admin(start: Callable[..., Server], name: str) -> None:
    server = start()  # the texts apply to the whole server
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
    signature = httpx.get(f"{url}/{made.json()['sign_id']}", auth=key.auth).json()
    assert signature["refuse_reason"] == "Blurred: Scan it."
