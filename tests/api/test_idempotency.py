"""Idempotency-Key on create and modify: a submission is made once, however often it is sent."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smsign.actions import idempotency
from smsign.domain.idempotency import Answered
from smsign.storage.rows import idempotency as rows
from tests.api import raw
from tests.api.raw import MULTIPART, SIGN, Response, basic, form, part
from tests.api.test_codes import check_error
from tests.images import noise
from tests.running import Key, Server

DAY_US = 86_400_000_000


def submit(server: Server, app: Key, key: str, *parts: bytes, path: str = "/v1/sign") -> Response:
    body = form(*(parts or (part("sign", SIGN),)))
    head = f"Idempotency-Key: {key}\r\n"
    return raw.send(
        server, raw.request("POST", path, auth=basic(app), content_type=MULTIPART, body=body, head=head)
    )


def test_a_repeated_create_gets_the_same_response_and_stores_nothing(server: Server, app: Key) -> None:
    parts = part("sign", SIGN), part("image1", noise()), part("remark", "官网")
    first = submit(server, app, "a-1", *parts)
    assert first.status == 200
    with raw.nothing_changes(server):
        again = submit(server, app, "a-1", *reversed(parts))
    assert (again.status, again.body) == (200, first.body)
    assert raw.create(server, app).code == 50103, "without the key it is another submission"


def test_a_repeated_request_gets_its_response_whatever_the_status_is_now(server: Server, app: Key) -> None:
    first = submit(server, app, "k")
    for passed in (False, True):
        assert submit(server, app, "k").body == first.body
        server.decide(first.sign_id, passed=passed)
        assert submit(server, app, "k").body == first.body
        if not passed:
            assert submit(server, app, "m", path=f"/v1/sign/{first.sign_id}").status == 200
    assert submit(server, app, "m", path=f"/v1/sign/{first.sign_id}").body == first.body
    assert raw.modify(server, app, first.sign_id).code == 50102
    assert [row[0] for row in raw.rows(server, _VERSIONS, first.sign_id)] == [2]


_VERSIONS = "SELECT version FROM signature WHERE id = $1"

OTHERS: dict[str, tuple[bytes, ...]] = {
    "another content": (part("sign", "另一个"), part("image0", noise())),
    "another image": (part("sign", SIGN), part("image0", noise(seed=9))),
    "another slot": (part("sign", SIGN), part("image1", noise())),
    "a text more": (part("sign", SIGN), part("image0", noise()), part("remark", "官网")),
    "an image less": (part("sign", SIGN),),
}


@pytest.mark.parametrize("other", OTHERS)
def test_the_key_of_another_submission_is_an_error(server: Server, app: Key, other: str) -> None:
    assert submit(server, app, "k", part("sign", SIGN), part("image0", noise())).status == 200
    response = submit(server, app, "k", *OTHERS[other])
    assert response.status == 422
    check_error(response, 51002, "idempotency key reused")


def test_create_and_modify_with_the_same_content_are_different_submissions(server: Server, app: Key) -> None:
    sign_id = submit(server, app, "k").sign_id
    server.decide(sign_id, passed=False)
    assert submit(server, app, "k", path=f"/v1/sign/{sign_id}").code == 51002


def test_a_request_with_an_error_does_not_use_up_its_key(server: Server, app: Key) -> None:
    assert submit(server, app, "k", part("sign", "【极光】")).code == 50104
    first = submit(server, app, "other")
    assert submit(server, app, "k").code == 50103
    server.decide(first.sign_id, passed=True)
    second = submit(server, app, "k")
    assert second.status == 200
    assert second.sign_id != first.sign_id


def test_two_applications_may_use_the_same_key(server: Server) -> None:
    one, two = server.make_apps(2)
    assert submit(server, one, "k").sign_id != submit(server, two, "k").sign_id


@pytest.mark.parametrize("key", ["", "a b", "a\tb", "x" * 256, "\xe9"])
def test_a_malformed_key_is_an_error(server: Server, reader: Key, key: str) -> None:
    with raw.nothing_changes(server):
        response = submit(server, reader, key)
    assert response.status == 400
    check_error(response, 51001, "invalid parameter")
    assert response.details[0]["field"] == "Idempotency-Key"


@pytest.mark.parametrize("key", ["x", "x" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"', "!~"])
def test_any_visible_ascii_is_a_valid_key(server: Server, app: Key, key: str) -> None:
    assert submit(server, app, key).status == 200


async def test_keys_are_deleted_after_seven_days(stores: Any) -> None:
    async def fill(tx: Any) -> None:
        for n in range(2500):
            await rows.insert(tx, 1, f"old-{n}", Answered(b"0" * 32, n), now=0)
        await rows.insert(tx, 1, "new", Answered(b"0" * 32, 1), now=DAY_US)

    await stores.db.write(fill)
    assert await idempotency.sweep(stores.db, now=8 * DAY_US) == 2500
    assert await rows.find(stores.db.read, 1, "old-7") is None
    assert await rows.find(stores.db.read, 1, "new") is not None


CLIENTS = 10
CLIENT = """
import json, sys, time, httpx
url, jobs = json.loads(sys.stdin.read())
with httpx.Client(base_url=url, timeout=30) as api:
    for app_key, secret, path, key in jobs:
        while True:
            try:
                response = api.post(path, auth=(app_key, secret), headers={"Idempotency-Key": key},
                                  files={"sign": (None, "极光推送")})
            except httpx.TransportError:
                time.sleep(0.2)  # leave the machine time to start the server
                continue
            if response.status_code < 500:
                break
        print(json.dumps([response.status_code, response.text]), flush=True)
"""


@pytest.mark.slow
def test_ten_clients_with_one_key_create_one_signature_while_the_server_is_killed(
    start: Callable[..., Server], tmp_path: Path
) -> None:
    server = start(workers=2)
    apps = server.make_apps(20)
    refused = [raw.create(server, app).sign_id for app in apps[:5]]
    for sign_id in refused:
        server.decide(sign_id, passed=False)
    paths = [f"/v1/sign/{sign_id}" for sign_id in refused] + ["/v1/sign"] * (len(apps) - len(refused))
    jobs = [
        [app.app_key, app.master_secret, path, secrets.token_hex(8)]
        for app, path in zip(apps, paths, strict=True)
    ]
    outs = [tmp_path / f"client{n}" for n in range(CLIENTS)]
    clients = [_start_client(out, [server.url, jobs]) for out in outs]
    try:
        for wanted in (10, 60, 110, 160):  # of 200 responses
            deadline = time.monotonic() + 60
            while sum(out.read_bytes().count(b"\n") for out in outs) < wanted:
                assert time.monotonic() < deadline, [client.poll() for client in clients]
                time.sleep(0.005)
            server.kill()
            server.start()
        assert [client.wait(60) for client in clients] == [0] * CLIENTS
    finally:
        for client in clients:
            client.kill()
            client.wait()
    for lines in zip(*(out.read_text().splitlines() for out in outs), strict=True):
        assert len(set(lines)) == 1, lines
        assert json.loads(lines[0])[0] == 200, lines
    counted = raw.rows(server, "SELECT count(*), count(DISTINCT app_id), sum(version) FROM signature")
    assert counted == [(20, 20, 25)]
    assert server.json("events", "verify")["fault"] is None


def _start_client(out: Path, job: list[Any]) -> subprocess.Popen[str]:
    with out.open("w") as file:
        client = subprocess.Popen(
            [sys.executable, "-c", CLIENT], stdin=subprocess.PIPE, stdout=file, text=True
        )
    assert client.stdin is not None
    with client.stdin as pipe:
        pipe.write(json.dumps(job))
    return client
