"""The desk: leases, decisions one at a time, and many at once."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.console.conftest import Submit
from tests.images import noise
from tests.running import PASSWORD, Server

pytestmark = pytest.mark.process


def test_signing_out_releases_the_leases(server: Server, name: str, submit: Submit) -> None:
    ids = [submit(), submit()]
    account = server.make_account(name, "auditor")
    _, other = (server.make_account(f"{name}{each}", "auditor") for each in "ab")
    with server.visitor(account) as first, server.visitor() as second, server.visitor(other) as third:
        assert first.post(f"/console/desk/{ids[0]}/take").status_code == 303
        form = {"name": f"{name}a", "password": PASSWORD}
        assert second.post("/console/sign-in", data=form).status_code == 303
        assert second.post(f"/console/desk/{ids[1]}/take").status_code == 303
        assert second.post("/console/sign-in", data=form).status_code == 303, "the same user signs in again"
        assert first.post("/console/sign-out").status_code == 303
        assert third.post(f"/console/desk/{ids[0]}/take").status_code == 303
        assert third.post(f"/console/desk/{ids[1]}/take").status_code == 409
        form = {"name": f"{name}b", "password": PASSWORD}
        assert second.post("/console/sign-in", data=form).status_code == 303, "another user signs in"
        assert third.post(f"/console/desk/{ids[1]}/take").status_code == 303


def test_disabling_an_account_releases_its_leases(server: Server, name: str, submit: Submit) -> None:
    sign_id = submit()
    disabled, other = (server.make_account(f"{name}{each}", "auditor") for each in "ab")
    with server.visitor(disabled) as visitor:
        assert visitor.post(f"/console/desk/{sign_id}/take").status_code == 303
    with server.visitor(server.make_account(name, "admin")) as admin:
        page = admin.get(f"/console/accounts?after={name}").text
        number = page.partition('href="/console/accounts/')[2].partition('"')[0]
        assert admin.post(f"/console/accounts/{number}", data={"role": "auditor"}).status_code == 303
    with server.visitor(other) as visitor:
        assert visitor.post(f"/console/desk/{sign_id}/take").status_code == 303


def test_taking_a_withdrawn_signature_offers_the_next_one(server: Server, name: str, submit: Submit) -> None:
    key = server.make_app()
    sign_id = submit("撤回", key)
    httpx.delete(f"{server.url}/v1/sign/{sign_id}", auth=key.auth)
    with server.visitor(server.make_account(name, "auditor")) as visitor:
        response = visitor.post(f"/console/desk/{sign_id}/take")
    assert response.status_code == 404
    assert f"there is no signature {sign_id}" in response.text
    assert "Take the oldest" in response.text


def test_verdict_and_reasons_must_agree(server: Server, name: str, submit: Submit) -> None:
    path = f"/console/desk/{submit()}"
    with server.visitor(server.make_account(name, "auditor")) as visitor:
        form = {"reason": "unreadable", "field-unreadable": "image0", "note": "<i>It is blurred.</i>"}
        for verdict, message in (("pass", "clear the reasons"), ("", "choose pass or refuse")):
            response = visitor.post(path, data=form | {"verdict": verdict})
            assert response.status_code == 422
            assert message in response.text
            assert 'value="unreadable" data-key="5" checked' in response.text
            assert '<option value="image0" selected>' in response.text
            assert "&lt;i&gt;It is blurred.&lt;/i&gt;</textarea>" in response.text
        assert visitor.post(path, data=form | {"verdict": "refuse"}).status_code == 303


@pytest.mark.process
def test_deciding_many_skips_what_another_auditor_has(server: Server, name: str, submit: Submit) -> None:
    one, two = (server.make_account(f"{name}{each}", "auditor") for each in "ab")
    keys = server.make_apps(3)
    ids = [submit("批量", key) for key in keys]
    with server.visitor(two) as other:
        assert other.post(f"/console/desk/{ids[0]}/take").status_code == 303
    with server.visitor(one) as visitor:
        chosen = [f"{each}:1" for each in ids]
        for form in ({"verdict": "refuse"}, {"verdict": "pass", "reason": "format"}, {"verdict": ""}):
            response = visitor.post("/console/desk", data=form | {"id": chosen})
            assert response.status_code == 422, "a refusal needs a reason, and a pass has none"
        form = {"verdict": "refuse", "reason": "format"}
        done = visitor.post("/console/desk", data=form | {"id": chosen})
        assert done.headers["location"].endswith("n=2&skipped=1")
        taken = visitor.get(f"/console/desk/{ids[0]}")
        assert taken.status_code == 409
        assert f"{name}b took it" in taken.text
    url = f"{server.url}/v1/sign"
    statuses = [httpx.get(f"{url}/{ids[n]}", auth=key.auth).json()["status"] for n, key in enumerate(keys)]
    assert statuses == [0, 2, 2]


def test_deciding_many_skips_what_was_resubmitted_since_the_page_was_loaded(
    server: Server, name: str, submit: Submit
) -> None:
    keys = server.make_apps(2)
    ids = [submit(f"批量{name[-4:]}{n}", key) for n, key in enumerate(keys)]
    url = f"{server.url}/v1/sign/{ids[0]}"
    with server.visitor(server.make_account(name, "auditor")) as visitor:
        path = str(httpx.URL("/console/desk", params={"after": _cursor(visitor, ids)}))
        shown = [f"{each}:1" for each in ids]
        assert all(f'name="id" value="{each}"' in visitor.get(path).text for each in shown)
        server.decide(ids[0], passed=False, reasons=("format",))
        again = httpx.put(url, auth=keys[0].auth, data={"sign": "换了内容"}, files={"image0": noise()})
        assert again.status_code == 200
        one = visitor.post(path, data={"verdict": "pass", "id": shown[:1]})
        assert (one.status_code, one.text.count("decide version 2")) == (422, 1)
        (row,) = re.findall(rf'value="{ids[0]}:2"[^>]*>', one.text)
        assert "checked" not in row, "the auditor has not seen that version"
        both = visitor.post(path, data={"verdict": "pass", "id": shown})
        assert both.headers["location"].endswith("n=1&skipped=1")
        without_version = visitor.post(path, data={"verdict": "pass", "id": [str(ids[0])]})
        assert without_version.status_code == 422
    assert httpx.get(url, auth=keys[0].auth).json()["status"] == 0


def test_an_error_in_deciding_many_keeps_selection_reasons_and_note(
    server: Server, name: str, submit: Submit
) -> None:
    ids = [submit(f"保留{name[-4:]}") for _ in range(2)]
    with server.visitor(server.make_account(name, "auditor")) as visitor:
        path = str(httpx.URL("/console/desk", params={"after": _cursor(visitor, ids)}))
        form = {"id": [f"{ids[0]}:1"], "note": "<i>It is blurred.</i>"}
        for verdict, more, message in (
            ("refuse", {}, "select at least one reason"),
            ("pass", {"reason": "unreadable"}, "clear the reasons"),
            ("refuse", {"reason": "unreadable", "note": "a" * 501}, "note: 501 characters, at most 500"),
            ("refuse", {"reason": "mood"}, "mood is not one of"),
        ):
            response = visitor.post(path, data=form | {"verdict": verdict} | more)
            assert response.status_code == 422
            assert message in response.text
            selected = re.findall(r'name="id" value="([0-9:]+)"[^>]* checked>', response.text)
            assert selected == [f"{ids[0]}:1"]
            reason = 'value="unreadable" data-key="5" checked'
            assert (reason in response.text) == ("unreadable" in more.values())
            note = more.get("note", "&lt;i&gt;It is blurred.&lt;/i&gt;")
            assert f"{note}</textarea>" in response.text
            assert '<details class="card" open>' in response.text
        none = visitor.post(path, data={"verdict": "refuse", "reason": "format", "note": "kept"})
        assert none.status_code == 422
        assert "no signature is selected" in none.text
        assert "kept</textarea>" in none.text


def test_the_count_of_decisions_in_the_query_must_be_a_number(server: Server, name: str) -> None:
    query = {"notice": "many", "n": "7 million", "skipped": "call 555"}
    with server.visitor(server.make_account(name, "auditor")) as visitor:
        assert "0 decided, 0 skipped." in visitor.get("/console/desk", params=query).text


def test_one_image_is_counted_in_the_singular(server: Server, name: str, submit: Submit) -> None:
    submit()
    with server.visitor(server.make_account(name, "auditor")) as visitor:
        page = visitor.get("/console/desk").text
        assert "1 image ·" in page
        assert "1 images" not in page


@pytest.mark.slow
def test_the_event_stream_reports_a_new_submission(server: Server, name: str, submit: Submit) -> None:
    with (
        server.visitor(server.make_account(name, "auditor")) as visitor,
        visitor.stream("GET", "/console/desk/live") as stream,
    ):
        assert stream.headers["content-type"] == "text/event-stream"
        lines = stream.iter_lines()
        assert next(lines) == ": hello"
        submit("新的签名")
        assert next(line for line in lines if line.startswith("event")) == "event: queue"


def _cursor(visitor: httpx.Client, ids: list[int]) -> str:
    """Return the cursor of the queue's page that shows these signatures."""
    after = ""
    while True:
        page = visitor.get("/console/desk", params={"after": after}).text
        if f'id="row-{ids[0]}"' in page and f'id="row-{ids[-1]}"' in page:
            return after
        after = page.partition('id="further" href="?after=')[2].partition('"')[0]
        assert after, "they are not in the queue"
