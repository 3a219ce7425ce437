"""The desk, asked as a browser asks: what signing out frees."""

from __future__ import annotations

import secrets

import httpx
import pytest

from tests.pictures import noise
from tests.running import PASSWORD, Key, Server


@pytest.fixture
def name() -> str:
    return f"d{secrets.token_hex(4)}"


def test_who_signs_out_leaves_nothing_on_the_desk(server: Server, name: str) -> None:
    keys = server.make_apps(2)
    ids = [_submit(server, key, "离席") for key in keys]
    account = server.make_account(name, "auditor")
    _, other = (server.make_account(f"{name}{each}", "auditor") for each in "ab")
    with server.visitor(account) as leaving, server.visitor() as staying, server.visitor(other) as heir:
        assert leaving.post(f"/console/desk/{ids[0]}/take").status_code == 303
        form = {"name": f"{name}a", "password": PASSWORD}
        assert staying.post("/console/sign-in", data=form).status_code == 303
        assert staying.post(f"/console/desk/{ids[1]}/take").status_code == 303
        assert staying.post("/console/sign-in", data=form).status_code == 303, "the same person signs in anew"
        assert leaving.post("/console/sign-out").status_code == 303
        assert heir.post(f"/console/desk/{ids[0]}/take").status_code == 303
        assert heir.post(f"/console/desk/{ids[1]}/take").status_code == 409
        form = {"name": f"{name}b", "password": PASSWORD}
        assert staying.post("/console/sign-in", data=form).status_code == 303, "another person signs in"
        assert heir.post(f"/console/desk/{ids[1]}/take").status_code == 303


def test_who_is_disabled_leaves_nothing_on_the_desk(server: Server, name: str) -> None:
    sign_id = _submit(server, server.make_app(), "停用")
    gone, other = (server.make_account(f"{name}{each}", "auditor") for each in "ab")
    with server.visitor(gone) as visitor:
        assert visitor.post(f"/console/desk/{sign_id}/take").status_code == 303
    with server.visitor(server.make_account(name, "admin")) as admin:
        page = admin.get(f"/console/accounts?after={name}").text
        number = page.partition('href="/console/accounts/')[2].partition('"')[0]
        assert admin.post(f"/console/accounts/{number}", data={"role": "auditor"}).status_code == 303
    with server.visitor(other) as heir:
        assert heir.post(f"/console/desk/{sign_id}/take").status_code == 303


def _submit(server: Server, key: Key, content: str) -> int:
    sent = {"data": {"sign": content}, "files": {"image0": noise()}}
    answer = httpx.post(f"{server.url}/v1/sign", auth=key.auth, **sent)  # type: ignore[arg-type]
    return int(answer.json()["sign_id"])
