"""The permission matrix: every route, requested by every role with either method; and the CSRF check."""

from __future__ import annotations

import httpx
import msgspec
import pytest

from smsign.console.routes import ROUTES, Route
from smsign.domain.accounts import Role
from tests.images import noise
from tests.running import Key, Server
from tests.storage.test_outbox import add_paused_callbacks

USERS = {
    "nobody": (),
    "other": (Role.OWNER,),
    "owner": (Role.OWNER,),
    "auditor": (Role.AUDITOR,),
    "admin": (Role.ADMIN,),
}
OF_AN_APP = ("{app}", "{signature}")
"""Routes with these parameters concern one application: they answer 404 to the owner of another one."""


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
        for name, roles in USERS.items()
    }
    (key,) = server.make_apps(1, names=["matrix"], owner="owner.matrix")
    submitted = httpx.post(
        f"{server.url}/v1/sign", auth=key.auth, data={"sign": "矩阵签名"}, files={"image0": noise()}
    )
    with server.visitor(tokens["owner"]) as owner:
        page = owner.get("/console/apps").text
    app = int(page.partition('href="/console/apps/')[2].partition('"')[0])
    server.do(lambda stores: add_paused_callbacks(stores, [key]))
    callback = httpx.get(f"{server.url}/v1/callbacks", auth=key.auth).json()["callbacks"][0]["callback_id"]
    return World(server, tokens, app, submitted.json()["sign_id"], callback, key)


def expected(route: Route, name: str, method: str) -> set[int]:
    """Return the statuses that are correct."""
    if method == "GET" and route.get is None:
        return {303}  # to the page above
    if method == "POST" and route.post is None:
        return {405}
    if route.roles is None:  # PUBLIC
        return {200, 303, 404, 422, 401}
    if name == "nobody":
        return {303} if method == "GET" else {401}
    if route.roles.isdisjoint(USERS[name]):
        return {403}
    if name == "other" and any(part in route.pattern for part in OF_AN_APP):
        return {404}
    if name == "auditor" and "{signature}" not in route.pattern and "{app}" in route.pattern:
        return {404}
    return {200, 204, 303, 404, 409, 422}


def path_of(world: World, route: Route) -> str:
    """Return a path of the route that concerns rows that exist."""
    values = {"app": world.app, "signature": world.signature, "callback": world.callback}
    values |= {"account": 1_000_000, "session": 1_000_000, "delivery": 1_000_000}
    words = {"name": "app.css", "token": "none", "slot": "image0", "version": 1}
    path = route.pattern
    for key, value in (values | words).items():
        path = path.replace(f"{{{key}}}", str(value))
    return path


@pytest.mark.process
@pytest.mark.parametrize("name", USERS)
def test_every_route_answers_every_role_with_the_right_status(world: World, name: str) -> None:
    wrong = []
    with world.server.visitor(world.tokens[name]) as visitor:
        for route in ROUTES:
            for method in ("GET", "POST"):
                if route.pattern == "/console/desk/live" and method == "GET" and name == "auditor":
                    continue  # an endless stream; tested in test_desk.py
                if route.pattern == "/console/sign-out" and method == "POST":
                    continue  # the session is still needed
                if route.pattern.endswith("/delete") and name in ("owner", "admin") and method == "POST":
                    continue  # it would delete the signature; tested below
                data = {"open": "1"} if method == "POST" else None
                response = visitor.request(method, path_of(world, route), data=data)
                if response.status_code not in expected(route, name, method):
                    wrong.append((method, route.pattern, response.status_code))
                assert world.key.master_secret not in response.text
    assert wrong == []
    signature = httpx.get(f"{world.server.url}/v1/sign/{world.signature}", auth=world.key.auth).json()
    assert signature["status"] == 0, "no request here may decide"


@pytest.mark.parametrize("name", ["owner", "admin"])
def test_owner_and_admin_may_withdraw_a_signature(world: World, name: str) -> None:
    (key,) = world.server.make_apps(1, owner="owner.matrix")
    url = f"{world.server.url}/v1/sign"
    submitted = httpx.post(url, auth=key.auth, data={"sign": "撤回"}, files={"image0": noise()})
    sign_id = submitted.json()["sign_id"]
    with world.server.visitor(world.tokens[name]) as visitor:
        assert visitor.post(f"/console/signatures/{sign_id}/delete").status_code == 303
    assert httpx.get(f"{url}/{sign_id}", auth=key.auth).json()["error"]["code"] == 50102


def test_another_owners_signature_looks_like_one_that_does_not_exist(world: World) -> None:
    with world.server.visitor(world.tokens["other"]) as visitor:
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
def test_the_csrf_check_blocks_a_post_from_another_site(world: World, headers: dict[str, str]) -> None:
    sent = {name: value for name, value in headers.items() if value}
    cookies = {"smsign_session": world.tokens["admin"] or ""}
    with httpx.Client(base_url=world.server.url, headers=sent, cookies=cookies) as client:
        for route in ROUTES:
            if route.post is not None:
                response = client.post(path_of(world, route), data={"x": "1"})
                assert response.status_code == 403, route.pattern
                assert "CSRF check" in response.text


def test_the_csrf_check_accepts_the_origin_header_of_older_browsers(world: World) -> None:
    response = httpx.post(
        f"{world.server.url}/console/preferences",
        headers={"Origin": world.server.url},
        data={"theme": "dark"},
    )
    assert response.status_code == 303
    assert response.headers.get_list("set-cookie") == [
        "smsign_theme=dark; Path=/console; SameSite=Lax; Max-Age=31536000; HttpOnly"
    ]


@pytest.mark.parametrize("path", ["/console/sign-in", "/console/nothing", "/console/welcome/none"])
def test_pages_have_a_strict_csp_and_are_not_cached(server: Server, path: str) -> None:
    response = httpx.get(f"{server.url}{path}")
    csp = response.headers["content-security-policy"]
    assert "default-src 'none'" in csp
    assert "unsafe" not in csp
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"


def test_an_image_is_a_preview_or_a_download_under_a_sandbox_csp(world: World) -> None:
    base = f"/console/signatures/{world.signature}/images/1/image0"
    with world.server.visitor(world.tokens["auditor"]) as visitor:
        preview = visitor.get(base)
        original = visitor.get(f"{base}?size=original")
        assert visitor.get(f"{base}x").status_code == 404
    assert preview.headers["content-type"] == "image/webp"
    assert original.headers["content-disposition"].startswith("attachment")
    assert original.content == noise()
    for response in (preview, original):
        assert "sandbox" in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"
