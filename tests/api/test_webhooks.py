"""The webhooks of the OpenAPI document are the requests that a server sends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jsonschema_rs
import pytest

from smsign.client import Client
from tests.api.document import DOCUMENT, follow, strict_validator
from tests.running import Server, free_port
from tests.worker.receiver import Received, Receiver, echo

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def requests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Received]]:
    """What callbacks of both formats get: one event of each kind that a test application can have."""
    receiver = Receiver().open()
    receiver.behave = echo
    folder, networks = tmp_path_factory.mktemp("webhooks"), "127.0.0.1/32"
    with Server(folder, port=free_port(), callback_networks=networks) as server:
        keys = server.json("app", "create", "webhooks", "--test")
        with Client(server.url, keys["app_key"], keys["master_secret"]) as client:
            client.create_callback(f"{receiver.url}/standard")
            client.create_callback(f"{receiver.url}/vendor", format="vendor")
            sign_id = client.create_sign("测试模糊")
            client.wait_until_decided(sign_id)
            client.modify_sign(sign_id, "测试待审")
            client.withdraw_sign(sign_id)
            client.delete_sign(sign_id)
            client.wait_until_decided(client.create_sign("极光推送"))
            yield receiver.wait_for(lambda got: len(got) == 1 + 7 + 2)
    receiver.end()


def test_events_are_those_of_the_standard_format(requests: list[Received]) -> None:
    operation = DOCUMENT["webhooks"]["event"]["post"]
    events = [each for each in requests if each.target == "/hook/standard"]
    for event in events:
        _check_headers(operation, event)
        assert event.headers["content-type"] == "application/json"
        _validator("event", "application/json").validate(event.json)
    kinds = {event.json["type"].removeprefix("signature.") for event in events}
    assert kinds == {"submitted", "refused", "resubmitted", "withdrawn", "deleted", "passed"}


def test_decisions_are_those_of_the_vendors_format(requests: list[Received]) -> None:
    decisions = [each for each in requests if each.target == "/hook/vendor" and each.method == "POST"]
    assert len(decisions) == 2
    for decision in decisions:
        assert decision.headers["content-type"] == "application/x-www-form-urlencoded"
        form: dict[str, Any] = dict(parse_qsl(decision.body.decode()))
        form["timestamp"] = int(form["timestamp"])
        _validator("vendorDecision", "application/x-www-form-urlencoded").validate(form)
        strict_validator("components", "schemas", "VendorDecision").validate(json.loads(form["data"]))


def test_a_callback_of_the_vendors_format_is_verified_as_documented(requests: list[Received]) -> None:
    [verification] = [each for each in requests if each.method == "GET"]
    [parameter] = DOCUMENT["webhooks"]["vendorDecision"]["get"]["parameters"]
    [value] = parse_qs(urlsplit(verification.target).query)[parameter["name"]]
    assert jsonschema_rs.is_valid(parameter["schema"], value)


def _validator(name: str, media: str) -> Any:
    return strict_validator("webhooks", name, "post", "requestBody", "content", media, "schema")


def _check_headers(operation: dict[str, Any], received: Received) -> None:
    for parameter in map(follow, operation["parameters"]):
        assert jsonschema_rs.is_valid(parameter["schema"], received.headers[parameter["name"]]), parameter
