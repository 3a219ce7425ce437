"""The calls under /test, which only the emulator has: reset, applications, faults."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from smsign.client import AuthFailed, Client, OtherInAudit, OutOfFreq, ServerError
from smsign.client.pytest_plugin import Emulator, smsign_emulator
from smsign.domain.sandbox import PASSES, PENDING
from tests.images import noise
from tests.running import Server

__all__ = ["smsign_emulator"]

pytestmark = pytest.mark.process

CALLS = (
    ("POST", "/test/reset"),
    ("POST", "/test/apps"),
    ("POST", "/test/faults"),
    ("DELETE", "/test/faults"),
)


@pytest.fixture
def emulator(smsign_emulator: Emulator) -> Emulator:
    smsign_emulator.reset()
    return smsign_emulator


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_only_the_emulator_has_these_calls(engine: str, server: Server) -> None:
    for method, path in CALLS:
        response = httpx.request(method, server.url + path, json={})
        assert response.status_code == 404
        assert response.json()["error"]["code"] == 50016
    assert "/test/" not in httpx.get(f"{server.url}/openapi.json").text


def test_a_reset_deletes_everything_but_the_fixed_application(emulator: Emulator) -> None:
    other = emulator.create_app()
    for client in (emulator.client, other):
        first = client.create_sign(PASSES, images=[noise()], idempotency_key="once")
        client.create_callback("http://127.0.0.1:9/")
        client.create_sign(PENDING)
    emulator.add_fault(status=500)
    emulator.reset()
    assert list(emulator.client.iter_signs()) == []
    assert emulator.client.list_callbacks() == ()
    assert emulator.client.get_in_use() is None
    with pytest.raises(AuthFailed):
        other.get_sign(first)
    again = emulator.client.create_sign("测试商标", idempotency_key="once")
    assert again > first, "no id is used twice"
    emulator.reset()
    assert emulator.client.get_app().app_key == emulator.app_key


def test_an_application_per_test(emulator: Emulator) -> None:
    one, other = emulator.create_app(), emulator.create_app(name="slow", delay_ms=60_000)
    one.create_sign(PENDING)
    with pytest.raises(OtherInAudit):
        one.create_sign(PASSES)
    assert other.get_sign(other.create_sign(PASSES)).status == 0
    assert emulator.client.get_sign(emulator.client.create_sign(PASSES)).passed
    for body in ({"name": "slow"}, {"name": ""}, {"delay_ms": -1}, {"other": 1}):
        response = httpx.post(f"{emulator.url}/test/apps", json=body)
        assert (response.status_code, response.json()["error"]["code"]) == (400, 51001), body
    assert httpx.post(f"{emulator.url}/test/apps").status_code == 200


def test_a_fault_answers_the_next_requests_with_a_status(emulator: Emulator) -> None:
    with Client(emulator.url, emulator.app_key, emulator.master_secret, retries=0) as client:
        emulator.add_fault(status=429, retry_after_s=7)
        emulator.add_fault(status=500, count=2)
        with pytest.raises(OutOfFreq) as limited:
            client.create_sign(PASSES)
        assert limited.value.retry_after_s == 7
        for _ in range(2):
            with pytest.raises(ServerError):
                client.create_sign(PASSES)
        assert list(client.iter_signs()) == [], "none of them was executed"
        emulator.add_fault(status=503, count=100)
        assert httpx.get(f"{emulator.url}/readyz").status_code == 200
        emulator.clear_faults()
        client.create_sign(PASSES)
    emulator.add_fault(status=503)
    sign_id = emulator.client.create_sign(PASSES)  # with retries
    assert emulator.client.get_sign(sign_id).passed


def test_a_fault_may_concern_one_application(emulator: Emulator) -> None:
    other = emulator.create_app()
    emulator.add_fault(status=500, app_key=emulator.app_key)
    with Client(emulator.url, emulator.app_key, emulator.master_secret, retries=0) as client:
        assert list(other.iter_signs()) == []
        with pytest.raises(ServerError):
            list(client.iter_signs())
        assert list(client.iter_signs()) == []


def test_a_fault_may_delay_a_request(emulator: Emulator) -> None:
    emulator.add_fault(latency_ms=300)
    started = time.monotonic()
    emulator.client.create_sign(PASSES)
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize("path", ["/v1/signs", "/v1/sign/0"])
def test_a_fault_may_cut_the_connection_after_the_request_was_executed(emulator: Emulator, path: str) -> None:
    emulator.add_fault(cut=True)
    auth = (emulator.app_key, emulator.master_secret)
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(emulator.url + path, auth=auth)
    emulator.add_fault(cut=True)
    sign_id = emulator.client.create_sign(PENDING)  # retried under the same Idempotency-Key
    assert [each.sign_id for each in emulator.client.iter_signs()] == [sign_id]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "status"),
        ({"status": 200}, "status"),
        ({"retry_after_s": 1, "cut": True}, "status"),
        ({"cut": "yes"}, "cut"),
        ({"status": 500, "count": 0}, "count"),
        ({"latency_ms": 60_001}, "latency_ms"),
    ],
)
def test_an_invalid_fault_is_rejected(emulator: Emulator, body: dict[str, Any], field: str) -> None:
    response = httpx.post(f"{emulator.url}/test/faults", json=body)
    assert response.status_code == 400
    assert field in [detail["field"] for detail in response.json()["error"]["details"]]


def test_wrong_secrets_are_not_throttled(emulator: Emulator) -> None:
    with httpx.Client(base_url=emulator.url, auth=(emulator.app_key, "0" * 24)) as api:
        assert {api.get("/v1/signs").status_code for _ in range(50)} == {401}
