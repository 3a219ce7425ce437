"""Navigation: reloads, languages, ended sessions, notices, the current section."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.console.conftest import Submit
from tests.running import PASSWORD, Server

pytestmark = pytest.mark.process


def test_a_get_of_a_path_that_only_accepts_post_redirects_to_the_page_above(
    server: Server, name: str
) -> None:
    with server.visitor(server.make_account(name, "owner")) as visitor:
        for path, parent in (
            ("/console/apps/7/secret", "/console/apps/7"),
            ("/console/apps/7/callbacks/3/deliveries/9/resend", "/console/apps/7/callbacks/3"),
            ("/console/sign-out", "/console"),
        ):
            response = visitor.get(path)
            assert (response.status_code, response.headers["location"]) == (303, parent)


def test_switching_the_language_keeps_the_filters(server: Server, name: str) -> None:
    with server.visitor(server.make_account(name, "admin")) as visitor:
        page = "/console/ledger?kind=app.created&number=7"
        response = visitor.post(
            "/console/preferences", data={"language": "zh"}, headers={"Referer": server.url + page}
        )
        assert response.headers["location"] == page


def test_signing_in_after_the_session_has_ended_returns_to_the_same_page(server: Server, name: str) -> None:
    server.make_account(name, "admin")
    page = "/console/ledger?kind=app.created&number=7"
    with server.visitor() as visitor:
        redirected = visitor.get(page)
        assert visitor.get(page, headers={"HX-Request": "true"}).status_code == 401
        posted = visitor.post("/console/desk/7", headers={"Referer": f"{server.url}/console/desk/7"})
        assert posted.status_code == 401
        assert "You are signed out." in posted.text
        assert "/console/sign-in?to=/console/desk/7" in posted.text
        form = {"name": name, "password": PASSWORD}
        to = httpx.URL(redirected.headers["location"]).params["to"]
        assert visitor.post("/console/sign-in", data=form | {"to": to}).headers["location"] == page
        injected = visitor.post("/console/sign-in", data=form | {"to": "/console/\r\nX-Set: 1"})
        assert (injected.status_code, injected.headers["location"]) == (303, "/console/statistics")


def test_the_ledger_is_searched_by_subject_and_id(server: Server, name: str) -> None:
    server.make_app()
    with server.visitor(server.make_account(name, "admin")) as visitor:
        page = visitor.get("/console/ledger?subject=account").text
        assert ">account 1</a>" in page
        assert ">application 1</a>" not in page
        page = visitor.get("/console/ledger?number=1").text
        assert ">account 1</a>" in page
        assert ">application 1</a>" in page
        assert visitor.get("/console/ledger?number=99999999999999999").status_code == 200


@pytest.mark.parametrize(
    ("role", "path", "section"),
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
def test_each_page_marks_its_section_in_the_navigation(
    server: Server, name: str, submit: Submit, role: str, path: str, section: str
) -> None:
    token = server.make_account(name, role)
    (key,) = server.make_apps(1, owner=name)
    path = path.format(id=submit(key=key))
    with server.visitor(token) as visitor:
        assert re.findall(r'<a href="/console/(\w+)" aria-current="page">', visitor.get(path).text) == [
            section
        ]


@pytest.mark.parametrize(
    ("role", "path", "notices"),
    [
        ("auditor", "/console/desk", {"empty": "No other signature"}),
        ("owner", "/console/me", {"saved": "Saved."}),
        ("admin", "/console/reasons", {"saved": "Saved."}),
        ("admin", "/console/accounts/1", {"saved": "Saved."}),
        ("admin", "/console/apps/1", {"created": "Application created", "saved": "Saved."}),
        ("admin", "/console/apps/1", {"used": "Switched.", "deleted": "Deleted."}),
        (
            "admin",
            "/console/signatures/{id}",
            {"submitted": "waiting for an auditor", "reopened": "Returned to the queue"},
        ),
    ],
)
def test_a_page_shows_only_notices_that_it_knows(
    server: Server, name: str, submit: Submit, role: str, path: str, notices: dict[str, str]
) -> None:
    path = path.format(id=submit())
    with server.visitor(server.make_account(name, role)) as visitor:
        for notice, text in notices.items():
            assert text in visitor.get(path, params={"notice": notice}).text
        for notice in ("anything", "Your account is locked, call 555", "notice saved"):
            page = visitor.get(path, params={"notice": notice})
            assert page.status_code == 200
            assert 'class="note good" role="status"' not in page.text
            assert notice not in page.text.replace(page.url.query.decode(), "")
