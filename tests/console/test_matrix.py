"""Who may do what: every route, by every kind of person, with either method; and no post from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from smsign.console.routes import ROUTES, Route
from smsign.domain.accounts import Role
from tests.images import noise
from tests.running import Key, Server
from tests.storage.test_outbox import add_paused_callbacks

PEOPLE = {
    "nobody": (),
    "stranger": (Role.OWNER,),
    "owner": (Role.OWNER,),
    "auditor": (Role.AUDITOR,),
    "admin": (Role.ADMIN,),
}
OF_AN_APP = ("{app}", "{signature}")
"""Routes with these names are about one application: an owner of another one finds nothing there."""


class World(msgspec.Struct):
    server: Server
    tokens: dict[str, str | None]
    app: int
    signature: int
    callback: int
    key: Key


@pytest.fixture(scope="module")
def world(server: Server) -> World:
    tokens: dict[str, str | None] = {
        name: server.make_account(f"{name}.matrix", *roles) if roles else None
        for name, roles in PEOPLE.items()
    }
    (key,) = server.make_apps(1, names=["matrix"], owner="owner.matrix")
    answer = httpx.post(
        f"{server.url}/v1/sign", auth=key.auth, data={"sign": "矩阵签名"}, files={"image0": noise()}
    )
    with server.visitor(tokens["owner"]) as owner:
        page = owner.get("/console/apps").text
    app = int(page.partition('href="/console/apps/')[2].partition('"')[0])
    server.do(lambda stores: add_paused_callbacks(stores, [key]))
    callback = httpx.get(f"{server.url}/v1/callbacks", auth=key.auth).json()["callbacks"][0]["callback_id"]
    return World(server, tokens, app, answer.json()["sign_id"], callback, key)


def expected(route: Route, name: str, method: str) -> set[int]:
    """Return the statuses that are right."""
    if method == "GET" and route.get is None:
        return {303}  # to the page above it
    if method == "POST" and route.post is None:
        return {405}
    if route.roles is None:  # OPEN
        return {200, 303, 404, 422, 401}
    roles = PEOPLE[name]
    if name == "nobody":
        return {303} if method == "GET" else {401}
    if route.roles.isdisjoint(roles):
        return {403}
    if name == "stranger" and any(part in route.pattern for part in OF_AN_APP):
        return {404}
    if name == "auditor" and "{signature}" not in route.pattern and "{app}" in route.pattern:
        return {404}
    return {200, 204, 303, 404, 409, 422}


@pytest.mark.process
@pytest.mark.parametrize("name", PEOPLE)
def test_every_route_answers_each_person_as_it_should(world: World, name: str) -> None:
    wrong = []
    with world.server.visitor(world.tokens[name]) as visitor:
        for route in ROUTES:
            for method in ("GET", "POST"):
                if route.pattern == "/console/desk/live" and method == "GET" and name == "auditor":
                    continue  # it never ends; there is a test of its own below
                if route.pattern == "/console/sign-out" and method == "POST":
                    continue  # the session is still needed
                if route.pattern.endswith("/delete") and name in ("owner", "admin") and method == "POST":
                    continue  # they may, so it would be gone: see the test below
                data = {"open": "1"} if method == "POST" else None
                answer = visitor.request(method, path_of(world, route), data=data)
                if answer.status_code not in expected(route, name, method):
                    wrong.append((method, route.pattern, answer.status_code))
                assert world.key.master_secret not in answer.text
    assert wrong == []
    signature = httpx.get(f"{world.server.url}/v1/sign/{world.signature}", auth=world.key.auth).json()
    assert signature["status"] == 0, "nothing here may decide"


@pytest.mark.parametrize("name", ["owner", "admin"])
def test_those_who_manage_an_application_withdraw_its_signature(world: World, name: str) -> None:
    (key,) = world.server.make_apps(1, owner="owner.matrix")
    url = f"{world.server.url}/v1/sign"
    sign_id = httpx.post(url, auth=key.auth, data={"sign": "撤回"}, files={"image0": noise()}).json()[
        "sign_id"
    ]
    with world.server.visitor(world.tokens[name]) as visitor:
        assert visitor.post(f"/console/signatures/{sign_id}/delete").status_code == 303
    assert httpx.get(f"{url}/{sign_id}", auth=key.auth).json()["error"]["code"] == 50102


def path_of(world: World, route: Route) -> str:
    """Return a path of the route that is about something that is there."""
    values = {"app": world.app, "signature": world.signature, "callback": world.callback}
    values |= {"account": 1_000_000, "session": 1_000_000, "delivery": 1_000_000}
    words = {"name": "app.css", "token": "none", "slot": "image0", "version": 1}
    path = route.pattern
    for key, value in (values | words).items():
        path = path.replace(f"{{{key}}}", str(value))
    return path


def test_what_is_not_this_persons_looks_like_what_is_not_there(world: World) -> None:
    with world.server.visitor(world.tokens["stranger"]) as visitor:
        theirs = visitor.get(f"/console/signatures/{world.signature}")
        none = visitor.get("/console/signatures/999999")
    assert theirs.status_code == none.status_code == 404
    assert theirs.text == none.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "", "Origin": "https://elsewhere.example"},
        {"Sec-Fetch-Site": "", "Origin": "null"},
        {"Sec-Fetch-Site": ""},
    ],
)
def test_a_post_from_elsewhere_is_refused(world: World, headers: dict[str, str]) -> None:
    sent = {name: value for name, value in headers.items() if value}
    cookies = {"smsign_session": world.tokens["admin"] or ""}
    with httpx.Client(base_url=world.server.url, headers=sent, cookies=cookies) as client:
        for route in ROUTES:
            if route.post is not None:
                answer = client.post(path_of(world, route), data={"x": "1"})
                assert answer.status_code == 403, route.pattern


def test_an_older_browser_is_taken_by_its_origin(world: World) -> None:
    answer = httpx.post(
        f"{world.server.url}/console/choose", headers={"Origin": world.server.url}, data={"theme": "dark"}
    )
    assert answer.status_code == 303
    assert "smsign_theme=dark" in answer.headers["set-cookie"]


@pytest.mark.parametrize("path", ["/console/sign-in", "/console/nothing", "/console/welcome/none"])
def test_pages_have_a_strict_policy_and_are_not_kept(server: Server, path: str) -> None:
    answer = httpx.get(f"{server.url}{path}")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_images_can_only_be_looked_at_or_saved(world: World) -> None:
    base = f"/console/signatures/{world.signature}/images/1/image0"
    with world.server.visitor(world.tokens["auditor"]) as visitor:
        preview = visitor.get(base)
        original = visitor.get(f"{base}?size=original")
        assert visitor.get(f"{base}x").status_code == 404
    assert preview.headers["content-type"] == "image/webp"
    assert original.headers["content-disposition"].startswith("attachment")
    assert original.content == noise()
    for answer in (preview, original):
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.fixture
def visitors(world: World) -> Iterator[Any]:
    with world.server.visitor(world.tokens["auditor"]) as one:
        yield one


@pytest.mark.slow
def test_the_queue_is_told_live(world: World, visitors: httpx.Client) -> None:
    with visitors.stream("GET", "/console/desk/live") as stream:
        assert stream.headers["content-type"] == "text/event-stream"
        lines = stream.iter_lines()
        assert next(lines) == ": hello"
        (key,) = world.server.make_apps(1)
        httpx.post(f"{world.server.url}/v1/sign", auth=key.auth, data={"sign": "新的签名"}, files={"a": b""})
        assert next(line for line in lines if line.startswith("event")) == "event: queue"
