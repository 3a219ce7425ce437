"""The added calls for callbacks and deliveries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from tests.api.document import check_response
from tests.running import Key, Server, free_port
from tests.worker.receiver import Receiver, check_order, echo, status

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def home(
    tmp_path_factory: pytest.TempPathFactory, make_database_url: Callable[[Path], str]
) -> Iterator[Server]:
    """A server that may deliver to this machine."""
    folder = tmp_path_factory.mktemp("callbacks")
    settings: dict[str, Any] = {"callback_networks": "127.0.0.1/32", "callback_timeout": 1}
    with Server(folder, port=free_port(), database=make_database_url(folder), **settings) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    opened = Receiver().open()
    yield opened
    opened.end()


@pytest.fixture
def key(home: Server) -> Key:
    return home.make_app()


@pytest.fixture
def api(home: Server, key: Key) -> Iterator[httpx.Client]:
    hooks = {"response": [check_response]}
    with httpx.Client(base_url=home.url, auth=key.auth, timeout=30, event_hooks=hooks) as client:
        yield client


def submit(api: httpx.Client) -> int:
    return int(api.post("/v1/sign", files={"sign": (None, "极光推送")}).json()["sign_id"])


def wait_until_delivered(api: httpx.Client, callback_id: int) -> list[dict[str, Any]]:
    """Wait until no event is pending; return the deliveries, oldest first."""
    deadline = time.monotonic() + 20
    while api.get(f"/v1/callbacks/{callback_id}").json()["pending"] and time.monotonic() < deadline:
        time.sleep(0.05)
    return list(api.get(f"/v1/callbacks/{callback_id}/deliveries").json()["deliveries"])[::-1]


def test_the_life_cycle_of_a_callback(home: Server, api: httpx.Client, receiver: Receiver) -> None:
    begun = "2026-01-01T00:00:00Z"
    made = api.post("/v1/callbacks", json={"url": receiver.url})
    assert made.status_code == 200, made.text
    callback = made.json()
    callback_id, path = callback["callback_id"], f"/v1/callbacks/{callback['callback_id']}"
    assert list(callback) == [
        "callback_id",
        "url",
        "format",
        "state",
        "why",
        "failures",
        "failing_since",
        "pending",
        "pending_since",
        "created_at",
        "secret",
        "old_secret_until",
    ]
    assert (callback["format"], callback["state"]) == ("standard", "active")
    assert callback["secret"].startswith("whsec_")
    (listed,) = api.get("/v1/callbacks").json()["callbacks"]
    assert "secret" not in listed
    assert api.get(path).json()["secret"] == callback["secret"]

    sign_id = submit(api)
    home.decide(sign_id, passed=False)
    delivered = wait_until_delivered(api, callback_id)
    assert [each["type"] for each in delivered] == ["signature.submitted", "signature.refused"]
    for got in receiver.requests:
        Webhook(callback["secret"]).verify(got.body, got.headers)
    one = api.get(f"{path}/deliveries/{delivered[1]['delivery_id']}").json()
    assert (one["state"], one["status"], one["answer"]) == ("delivered", 200, "ok")
    assert one["sent"]["body"].encode() == receiver.requests[1].body
    assert one["sent"]["url"] == receiver.url
    assert one["sent"]["headers"]["webhook-id"] == f"evt_{one['event_id']}"

    rotated = api.post(f"{path}/rotate", json={"overlap_s": 60}).json()
    assert rotated["secret"] != callback["secret"]
    assert rotated["old_secret_until"] is not None
    assert api.post(f"{path}/rotate").json()["old_secret_until"] is not None, "a day by default"
    assert api.post(f"{path}/rotate", content=iter([b""])).status_code == 200, "chunked, but empty"
    assert api.post(f"{path}/rotate", json={"overlap_s": 0}).json()["old_secret_until"] is None

    assert api.post(f"{path}/deliveries/{delivered[0]['delivery_id']}/resend").json() == {"events": 1}
    receiver.wait_for(lambda got: len(got) == 3)
    assert receiver.requests[2].body == receiver.requests[0].body
    span = {"since": begun, "until": "2027-01-01T00:00:00+08:00"}
    assert api.post(f"{path}/replay", json=span).json() == {"events": 2}
    receiver.wait_for(lambda got: len(got) == 5)
    check_order(receiver.requests)
    wait_until_delivered(api, callback_id)  # a delivery is received before it is recorded

    page = api.get(f"{path}/deliveries", params={"limit": 2}).json()
    rest = api.get(f"{path}/deliveries", params={"cursor": page["next"], "state": "delivered"}).json()
    assert (len(page["deliveries"]), len(rest["deliveries"]), rest["next"]) == (2, 3, None)
    assert api.get(f"{path}/deliveries", params={"state": "failed"}).json()["deliveries"] == []

    gone = api.delete(path)
    assert (gone.status_code, gone.content) == (200, b"")
    assert api.get("/v1/callbacks").json() == {"callbacks": []}
    for call in (api.get(path), api.delete(path), api.post(f"{path}/resume")):
        assert (call.status_code, call.json()["error"]["code"]) == (404, 51004)
    submit(api)
    time.sleep(0.7)
    assert len(receiver.requests) == 5


def test_a_callback_that_answers_410_is_paused_until_it_is_resumed(
    api: httpx.Client, receiver: Receiver, home: Server, key: Key
) -> None:
    receiver.behave = status(410)
    path = f"/v1/callbacks/{api.post('/v1/callbacks', json={'url': receiver.url}).json()['callback_id']}"
    sign_id = submit(api)
    api.delete(f"/v1/sign/{sign_id}")
    deadline = time.monotonic() + 10
    while (found := api.get(path).json())["state"] == "active" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (found["state"], found["why"], found["pending"]) == ("paused", "gone", 2)
    assert found["pending_since"] is not None
    metrics = httpx.get(f"{home.url}/metrics").text
    assert 'smsign_delivery_seconds_count{format="standard",outcome="failed"}' in metrics
    assert float(metrics.partition("\nsmsign_outbox_events ")[2].split("\n")[0]) >= 2
    assert float(metrics.partition("\nsmsign_outbox_oldest_seconds ")[2].split("\n")[0]) > 0
    receiver.behave = status(204)
    assert api.post(f"{path}/resume").json()["state"] == "active"
    receiver.wait_for(lambda got: len(got) == 3)
    assert [got.position[1] for got in receiver.requests] == [1, 1, 2]
    log = home.log.read_text()
    assert '"event":"callback paused"' in log
    assert key.master_secret not in log
    assert "whsec_" not in log
    assert "极光推送" not in log
    assert receiver.url.removeprefix("http://") not in log


def test_a_callback_of_the_vendors_format_must_echo_first(api: httpx.Client, receiver: Receiver) -> None:
    body = {"url": receiver.url, "format": "vendor"}
    response = api.post("/v1/callbacks", json=body)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (422, 51005)
    assert "echostr" in error["details"][0]["reason"]
    receiver.behave = echo
    made = api.post("/v1/callbacks", json=body).json()
    assert made["secret"] is None
    rotated = api.post(f"/v1/callbacks/{made['callback_id']}/rotate")
    assert (rotated.status_code, rotated.json()["error"]["code"]) == (400, 51001)


def test_a_private_address_is_an_error_that_names_the_setting(api: httpx.Client) -> None:
    for url in ("http://127.0.0.2/", "http://10.1.2.3/", "http://169.254.169.254/", "http://[::1]:80/"):
        response = api.post("/v1/callbacks", json={"url": url})
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (422, 51005), url
        assert "not public" in error["details"][0]["reason"]
        assert "callback_networks" in error["details"][0]["hint"]


@pytest.mark.parametrize(
    ("method", "path", "body", "fields"),
    [
        ("POST", "/v1/callbacks", b"{}", ["url"]),
        ("POST", "/v1/callbacks", b'{"url": 5, "form": null, "x": 1}', ["url", "form", "x"]),
        ("POST", "/v1/callbacks", b'{"url": "x", "format": "y"}', ["url", "format"]),
        ("POST", "/v1/callbacks?x=1", b'{"url": "x"}', ["x"]),
        ("GET", "/v1/callbacks?x=1&x=2", b"", ["x", "x"]),
        ("GET", "/v1/callbacks/{id}?x=1", b"", ["x"]),
        ("DELETE", "/v1/callbacks/{id}?x=1", b"", ["x"]),
        ("POST", "/v1/callbacks/{id}/rotate", b'{"overlap_s": -1}', ["overlap_s"]),
        ("POST", "/v1/callbacks/{id}/rotate", b'{"overlap_s": true}', ["overlap_s"]),
        ("POST", "/v1/callbacks/{id}/resume?x=1", b"", ["x"]),
        ("POST", "/v1/callbacks/{id}/replay", b"{}", ["since", "until"]),
        ("POST", "/v1/callbacks/{id}/replay", b'{"since": "2026-01-01", "until": 7}', ["since", "until"]),
        (
            "POST",
            "/v1/callbacks/{id}/replay",
            b'{"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}',
            ["until"],
        ),
        (
            "GET",
            "/v1/callbacks/{id}/deliveries?state=lost&limit=0&cursor=x",
            b"",
            ["state", "limit", "cursor"],
        ),
        ("GET", "/v1/callbacks/{id}/deliveries?limit=101", b"", ["limit"]),
    ],
)
def test_all_invalid_parameters_are_reported_at_once(
    api: httpx.Client, receiver: Receiver, method: str, path: str, body: bytes, fields: list[str]
) -> None:
    made = api.post("/v1/callbacks", json={"url": receiver.url}).json()
    path = path.replace("{id}", str(made["callback_id"]))
    response = api.request(method, path, content=body, headers={"content-type": "application/json"})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, 51001)
    assert [each["field"] for each in error["details"]] == fields
    assert all(each["reason"] and each["hint"] for each in error["details"])


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (b"", "application/json", 50003),
        (b"{}", "text/plain", 50017),
        (b"[]", "application/json", 50007),
        (b"{", "application/json", 50007),
        (b"\xff", "application/json", 50007),
    ],
)
def test_a_body_that_is_no_json_object_is_an_error(
    api: httpx.Client, body: bytes, kind: str, code: int
) -> None:
    response = api.post("/v1/callbacks", content=body, headers={"content-type": kind})
    assert response.json()["error"]["code"] == code


@pytest.mark.parametrize("name", ["0", "x", "-1", "9" * 30, "1.5", "%00", "１"])
def test_an_invalid_id_and_another_applications_id_get_the_same_404(
    home: Server, api: httpx.Client, receiver: Receiver, name: str
) -> None:
    made = api.post("/v1/callbacks", json={"url": receiver.url}).json()
    other = httpx.get(f"{home.url}/v1/callbacks/{made['callback_id']}", auth=home.make_app().auth)
    malformed = api.get(f"/v1/callbacks/{name}")
    assert other.json() == malformed.json()
    assert (other.status_code, other.json()["error"]["code"]) == (404, 51004)
    missing = api.get(f"/v1/callbacks/{made['callback_id']}/deliveries/{name}")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, 51004)


def test_an_unchanged_list_of_callbacks_is_304(api: httpx.Client, receiver: Receiver) -> None:
    api.post("/v1/callbacks", json={"url": receiver.url})
    first = api.get("/v1/callbacks")
    assert first.headers["cache-control"] == "private, no-cache"
    again = api.get("/v1/callbacks", headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


def test_the_calls_of_callbacks_have_the_same_order_of_errors(home: Server, api: httpx.Client) -> None:
    assert httpx.get(f"{home.url}/v1/callbacks").json()["error"]["code"] == 50001
    assert httpx.get(f"{home.url}/v1/callbacks/x", auth=("a", "b")).json()["error"]["code"] == 50002
    assert api.get("/v1/callbacks/1/nothing").json()["error"]["code"] == 50016
    for method, call in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/rotate"),
        ("POST", "/resume"),
        ("POST", "/replay"),
        ("GET", "/deliveries"),
        ("GET", "/deliveries/0"),
        ("POST", "/deliveries/0/resend"),
    ):
        response = api.request(method, f"/v1/callbacks/0{call}?x=1", content=b"x")
        assert response.json()["error"]["code"] == 51004, (method, call)
    response = api.put("/v1/callbacks/1")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, DELETE")
    assert api.get("/v1/callbacks/").status_code == 200, "a trailing slash is the same path"
