"""`smsign callback …` and `smsign worker`, with a server that does not deliver."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from tests.running import Key, Server
from tests.worker.receiver import Receiver

pytestmark = [
    pytest.mark.process,
    pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True),
]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    opened = Receiver().open()
    yield opened
    opened.end()


@pytest.fixture
def server(start: Callable[..., Server]) -> Server:
    return start(deliver=0, callback_networks="127.0.0.1/32", callback_timeout=1)


def _submit(server: Server, key: Key) -> None:
    httpx.post(f"{server.url}/v1/sign", auth=key.auth, files={"sign": (None, "极光推送")})


def test_a_worker_delivers_to_a_callback(server: Server, receiver: Receiver) -> None:
    (key,) = server.make_apps(1, names=["shop"])
    added = server.json("callback", "add", "shop", receiver.url, "--format", "standard")
    number = str(added["callback_id"])
    _submit(server, key)
    assert server.json("callback", "list", "shop")[0]["pending"] == 1
    worker = subprocess.Popen([sys.executable, "-m", "smsign.cli", "worker"], env=server.env)
    receiver.wait_for(lambda got: len(got) == 1)
    worker.terminate()
    assert worker.wait(timeout=20) == 0
    Webhook(added["secret"]).verify(receiver.requests[0].body, receiver.requests[0].headers)
    (delivery,) = server.json("callback", "deliveries", "shop", number)
    assert (delivery["state"], delivery["status"], delivery["answer"]) == ("delivered", 200, "ok")
    assert delivery["headers"]["webhook-id"] == receiver.requests[0].headers["webhook-id"]
    assert "delivered" in server.run("callback", "deliveries", "shop", number).stdout

    assert server.json("callback", "show", "shop", number, "--secret")["secret"] == added["secret"]
    assert "secret" not in server.json("callback", "show", "shop", number)
    assert server.json("callback", "rotate", "shop", number)["secret"] != added["secret"]
    assert server.json("callback", "pause", "shop", number)["state"] == "paused"
    assert server.json("callback", "resend", "shop", number, str(delivery["id"])) == {"events": 1}
    assert server.json("callback", "replay", "shop", number, "--since", "2026-01-01") == {"events": 0}
    assert server.json("callback", "resume", "shop", number)["pending"] == 1
    assert server.json("callback", "remove", "shop", number) == {"removed": int(number)}
    old = server.json("callback", "add", "shop", receiver.url, "--form", "standard")
    assert server.json("callback", "remove", "shop", str(old["callback_id"]))
    assert "No callbacks yet" in server.run("callback", "list", "shop").stdout


def test_invalid_callbacks_are_rejected_with_a_reason(server: Server) -> None:
    server.make_apps(1, names=["inside"])
    private = server.run("callback", "add", "inside", "http://10.0.0.1/")
    assert private.returncode == 1
    assert private.stderr.startswith("smsign: url: nothing may be sent there: 10.0.0.1 resolves to 10.0.0.1")
    assert "callback_networks" in private.stderr
    invalid = server.run("callback", "add", "inside", "nowhere")
    assert invalid.stderr.startswith("smsign: url: is not an http or https URL; such as https://")
    unknown = server.run("callback", "show", "inside", "5")
    assert unknown.stderr.startswith("smsign: callback_id: the application has none with this id")
