"""The page of a callback, as an owner uses it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from tests.running import PASSWORD, Server
from tests.worker.receiver import Receiver, status

pytestmark = [
    pytest.mark.process,
    pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True),
]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    opened = Receiver().open()
    yield opened
    opened.end()


def _search(pattern: str, page: str) -> re.Match[str]:
    match = re.search(pattern, page)
    assert match is not None
    return match


def _wait(visitor: httpx.Client, path: str, text: str) -> str:
    deadline = time.monotonic() + 10
    while text not in (page := visitor.get(path).text) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert text in page
    return page


def test_an_owner_adds_rotates_resumes_replays_and_removes_a_callback(
    start: Callable[..., Server], receiver: Receiver
) -> None:
    server = start(callback_networks="127.0.0.1/32")
    token = server.make_account("zhou.min", "owner")
    (key,) = server.make_apps(1, names=["书店"], owner="zhou.min")
    with server.visitor(token) as visitor:
        home = _search(r'href="(/console/apps/\d+)"', visitor.get("/console/apps").text)[1]
        private = visitor.post(f"{home}/callbacks", data={"url": "http://10.0.0.1/", "format": "standard"})
        assert private.status_code == 422
        assert "10.0.0.1, which is not public (private)" in private.text

        added = visitor.post(f"{home}/callbacks", data={"url": receiver.url, "format": "standard"}).text
        secret = _search(r"whsec_[\w+/=]+", added)[0]
        path = _search(rf'action="({home}/callbacks/\d+)/pause"', added)[1]
        assert secret not in visitor.get(path).text
        assert visitor.post(f"{path}/secret", data={"password": "wrong"}).status_code == 422
        assert secret in visitor.post(f"{path}/secret", data={"password": PASSWORD}).text

        receiver.behave = status(410)
        httpx.post(f"{server.url}/v1/sign", auth=key.auth, files={"sign": (None, "极光推送")})
        page = _wait(visitor, path, "answered 410 Gone")
        assert "POST " + receiver.url in page
        assert "&#34;sign&#34;:&#34;极光推送&#34;" in page
        Webhook(secret).verify(receiver.requests[0].body, receiver.requests[0].headers)
        assert "This callback was paused" in visitor.get(home).text

        receiver.behave = status(200)
        assert visitor.post(f"{path}/resume").status_code == 303
        page = _wait(visitor, path, "delivered 200")
        resend = _search(r"/deliveries/\d+/resend", page)[0]
        assert visitor.post(f"{path}{resend}").headers["location"] == f"{path}?notice=resent"
        receiver.wait_for(lambda got: len(got) == 3)
        assert visitor.post(f"{path}/replay", data={"hours": "24"}).status_code == 303
        receiver.wait_for(lambda got: len(got) == 4)
        assert visitor.post(f"{path}/replay", data={"hours": "5"}).status_code == 422
        assert "failed 410" in visitor.get(f"{path}?state=failed").text

        rotated = visitor.post(f"{path}/rotate", data={"password": PASSWORD, "overlap": "1"}).text
        assert "valid until" in rotated
        assert secret not in rotated
        assert visitor.post(f"{path}/pause").status_code == 303
        assert "This callback is paused" in visitor.get(path).text
        assert visitor.post(f"{path}/remove").headers["location"] == f"{home}?notice=deleted"
        assert visitor.get(path).status_code == 404
        timeline = visitor.get(home).text
        for event in ("callback added", "callback paused", "callback resumed", "event redelivered"):
            assert event in timeline
