"""The desk, asked as a browser asks: what signing out frees; many decided as the page showed them."""

from __future__ import annotations

import re
import secrets

import httpx
import pytest

from tests.images import noise
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


def test_many_are_decided_as_the_page_showed_them(server: Server, name: str) -> None:
    keys = server.make_apps(2)
    ids = [_submit(server, key, f"批量{name[-4:]}{n}") for n, key in enumerate(keys)]
    url = f"{server.url}/v1/sign/{ids[0]}"
    with server.visitor(server.make_account(name, "auditor")) as visitor:
        where = str(httpx.URL("/console/desk", params={"after": _before(visitor, ids)}))
        shown = [f"{each}:1" for each in ids]
        assert all(f'name="id" value="{each}"' in visitor.get(where).text for each in shown)
        server.decide(ids[0], passed=False, reasons=("format",))
        again = httpx.put(url, auth=keys[0].auth, data={"sign": "换了内容"}, files={"image0": noise()})
        assert again.status_code == 200
        one = visitor.post(where, data={"verdict": "pass", "id": shown[:1]})
        assert (one.status_code, one.text.count("decide version 2")) == (422, 1)
        row = f'value="{ids[0]}:2" form="many" aria-label="Tick 换了内容">'
        assert row in one.text, "nobody has seen that version, so it is not ticked"
        both = visitor.post(where, data={"verdict": "pass", "id": shown})
        assert both.headers["location"].endswith("n=1&failed=1")
        bare = visitor.post(where, data={"verdict": "pass", "id": [str(ids[0])]})
        assert bare.status_code == 422
    assert httpx.get(url, auth=keys[0].auth).json()["status"] == 0


def test_many_that_are_refused_keep_ticks_reasons_and_note(server: Server, name: str) -> None:
    ids = [_submit(server, key, f"保留{name[-4:]}") for key in server.make_apps(2)]
    with server.visitor(server.make_account(name, "auditor")) as visitor:
        where = str(httpx.URL("/console/desk", params={"after": _before(visitor, ids)}))
        said = {"id": [f"{ids[0]}:1"], "note": "<i>It is blurred.</i>"}
        for verdict, more, told in (
            ("refuse", {}, "tick at least one reason"),
            ("pass", {"reason": "unreadable"}, "untick the reasons"),
            ("refuse", {"reason": "unreadable", "note": "a" * 501}, "note: 501 characters, at most 500"),
            ("refuse", {"reason": "mood"}, "mood is not one of"),
        ):
            answer = visitor.post(where, data=said | {"verdict": verdict} | more)
            assert answer.status_code == 422
            assert told in answer.text
            ticks = re.findall(r'name="id" value="([0-9:]+)"[^>]* checked>', answer.text)
            assert ticks == [f"{ids[0]}:1"]
            reason = 'value="unreadable" data-key="5" checked'
            assert (reason in answer.text) == ("unreadable" in more.values())
            note = more.get("note", "&lt;i&gt;It is blurred.&lt;/i&gt;")
            assert f"{note}</textarea>" in answer.text
            assert '<details class="card" open>' in answer.text
        none = visitor.post(where, data={"verdict": "refuse", "reason": "format", "note": "kept"})
        assert none.status_code == 422
        assert "nothing is ticked" in none.text
        assert "kept</textarea>" in none.text


def test_how_many_were_decided_is_a_number(server: Server, name: str) -> None:
    with server.visitor(server.make_account(name, "auditor")) as visitor:
        page = visitor.get("/console/desk", params={"done": "many", "n": "7 million", "failed": "call 555"})
        assert "0 decided, 0 left alone." in page.text


def _before(visitor: httpx.Client, ids: list[int]) -> str:
    """Return the place in the queue behind which these stand; submitted in one go, they are the newest."""
    after = ""
    while True:
        page = visitor.get("/console/desk", params={"after": after}).text
        if f'id="row-{ids[0]}"' in page and f'id="row-{ids[-1]}"' in page:
            return after
        after = page.partition('id="further" href="?after=')[2].partition('"')[0]
        assert after, "they are not in the queue"


def _submit(server: Server, key: Key, content: str) -> int:
    sent = {"data": {"sign": content}, "files": {"image0": noise()}}
    answer = httpx.post(f"{server.url}/v1/sign", auth=key.auth, **sent)  # type: ignore[arg-type]
    return int(answer.json()["sign_id"])
