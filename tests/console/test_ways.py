"""Ways through the console that are no straight ones: reloads, other languages, sessions that have ended."""

from __future__ import annotations

import re
import secrets

import httpx
import pytest

from tests.images import noise
from tests.running import PASSWORD, Key, Server


@pytest.fixture
def name() -> str:
    return f"w{secrets.token_hex(4)}"


def test_the_address_of_a_posted_form_leads_to_the_page_above_it(server: Server, name: str) -> None:
    with server.visitor(server.make_account(name, "owner")) as visitor:
        for path, above in (
            ("/console/apps/7/secret", "/console/apps/7"),
            ("/console/apps/7/callbacks/3/deliveries/9/resend", "/console/apps/7/callbacks/3"),
            ("/console/sign-out", "/console"),
        ):
            answer = visitor.get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, above)


def test_another_language_leaves_filters_as_they_are(server: Server, name: str) -> None:
    with server.visitor(server.make_account(name, "admin")) as visitor:
        here = "/console/ledger?kind=app.created&number=7"
        answer = visitor.post(
            "/console/choose", data={"language": "zh"}, headers={"Referer": server.url + here}
        )
        assert answer.headers["location"] == here


def test_who_is_signed_out_is_told_so_and_comes_back_to_the_same_page(server: Server, name: str) -> None:
    server.make_account(name, "admin")
    here = "/console/ledger?kind=app.created&number=7"
    with server.visitor() as visitor:
        asked = visitor.get(here)
        assert visitor.get(here, headers={"HX-Request": "true"}).status_code == 401
        posted = visitor.post("/console/desk/7", headers={"Referer": f"{server.url}/console/desk/7"})
        assert posted.status_code == 401
        assert "You are signed out." in posted.text
        assert "/console/sign-in?to=/console/desk/7" in posted.text
        form = {"name": name, "password": PASSWORD}
        to = httpx.URL(asked.headers["location"]).params["to"]
        assert visitor.post("/console/sign-in", data=form | {"to": to}).headers["location"] == here
        split = visitor.post("/console/sign-in", data=form | {"to": "/console/\r\nX-Set: 1"})
        assert (split.status_code, split.headers["location"]) == (303, "/console/figures")


def test_the_ledger_is_searched_by_what_a_row_is_of(server: Server, name: str) -> None:
    server.make_app()
    with server.visitor(server.make_account(name, "admin")) as visitor:
        page = visitor.get("/console/ledger?subject=account").text
        assert ">account 1</a>" in page
        assert ">application 1</a>" not in page
        page = visitor.get("/console/ledger?number=1").text
        assert ">account 1</a>" in page
        assert ">application 1</a>" in page
        assert visitor.get("/console/ledger?number=99999999999999999").status_code == 200


def test_the_desk_takes_no_verdict_that_says_two_things(server: Server, name: str) -> None:
    key = server.make_app()
    made = httpx.post(
        f"{server.url}/v1/sign", auth=key.auth, data={"sign": "两可"}, files={"image0": noise()}
    )
    path = f"/console/desk/{made.json()['sign_id']}"
    with server.visitor(server.make_account(name, "auditor")) as visitor:
        said = {"reason": "unreadable", "field-unreadable": "image0", "note": "<i>It is blurred.</i>"}
        for verdict, told in (("pass", "untick the reasons"), ("", "choose: pass or refuse")):
            answer = visitor.post(path, data=said | {"verdict": verdict})
            assert answer.status_code == 422
            assert told in answer.text
            assert 'value="unreadable" data-key="5" checked' in answer.text
            assert '<option value="image0" selected>' in answer.text
            assert "&lt;i&gt;It is blurred.&lt;/i&gt;</textarea>" in answer.text
        assert visitor.post(path, data=said | {"verdict": "refuse"}).status_code == 303


@pytest.mark.parametrize(
    ("role", "path", "part"),
    [
        ("owner", "/console/signatures/{id}", "apps"),
        ("owner", "/console/signatures/{id}/resubmit", "apps"),
        ("admin", "/console/signatures/{id}", "apps"),
        ("auditor", "/console/signatures/{id}", "desk"),
        ("auditor", "/console/desk/{id}", "desk"),
        ("admin", "/console/ledger", "ledger"),
        ("admin", "/console/me", "me"),
    ],
)
def test_each_page_marks_its_place_in_the_navigation(
    server: Server, name: str, role: str, path: str, part: str
) -> None:
    token = server.make_account(name, role)
    (key,) = server.make_apps(1, owner=name)
    path = path.format(id=_submit(server, key))
    with server.visitor(token) as visitor:
        assert re.findall(r'<a href="/console/(\w+)" aria-current="page">', visitor.get(path).text) == [part]


@pytest.mark.parametrize(
    ("role", "path", "words"),
    [
        ("auditor", "/console/desk", {"empty": "That was the last one"}),
        ("owner", "/console/me", dict.fromkeys(("password", "totp", "session", "sso"), "Saved.")),
        ("admin", "/console/reasons", {"saved": "Saved."}),
        ("admin", "/console/accounts/1", {"saved": "Saved."}),
        ("admin", "/console/apps/1", {"created": "is made", "saved": "Saved."}),
        ("admin", "/console/apps/1", {"used": "Switched.", "deleted": "Deleted."}),
        ("admin", "/console/signatures/{id}", {"submitted": "It waits", "reopened": "back in the queue"}),
    ],
)
def test_a_page_says_that_something_was_done_in_known_words_only(
    server: Server, name: str, role: str, path: str, words: dict[str, str]
) -> None:
    path = path.format(id=_submit(server, server.make_app()))
    with server.visitor(server.make_account(name, role)) as visitor:
        for word, told in words.items():
            assert told in visitor.get(path, params={"done": word}).text
        for word in ("anything", "Your account is locked, call 555", "done saved"):
            page = visitor.get(path, params={"done": word})
            assert page.status_code == 200
            assert 'class="note good" role="status"' not in page.text
            assert word not in page.text.replace(page.url.query.decode(), "")


def test_one_image_is_one_image(server: Server, name: str) -> None:
    sent = {"data": {"sign": "一图"}, "files": {"image0": noise()}}
    httpx.post(f"{server.url}/v1/sign", auth=server.make_app().auth, **sent)  # type: ignore[arg-type]
    with server.visitor(server.make_account(name, "auditor")) as visitor:
        page = visitor.get("/console/desk").text
        assert "1 image ·" in page
        assert "1 images" not in page


def _submit(server: Server, key: Key) -> int:
    sent = {"data": {"sign": "已知"}, "files": {"image0": noise()}}
    answer = httpx.post(f"{server.url}/v1/sign", auth=key.auth, **sent)  # type: ignore[arg-type]
    return int(answer.json()["sign_id"])
