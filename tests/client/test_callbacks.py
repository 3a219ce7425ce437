"""Callbacks and deliveries through both clients, with webhooks verified by the receiver."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from smsign.client import (
    Callback,
    Client,
    InvalidParameter,
    NotVerified,
    UnknownCallback,
    WebhookVerificationError,
    echo,
    verify_standard,
    verify_vendor,
)
from tests.client.conftest import FakeService, response
from tests.running import Key, Server, free_port

pytestmark = pytest.mark.process

Fake = Callable[..., FakeService]


@pytest.fixture(scope="module")
def home(
    tmp_path_factory: pytest.TempPathFactory, make_database_url: Callable[[Path], str]
) -> Iterator[Server]:
    """A server whose callbacks may reach the loopback network."""
    folder = tmp_path_factory.mktemp("callbacks")
    networks = "127.0.0.1/32"
    port = free_port()
    with Server(folder, port=port, database=make_database_url(folder), callback_networks=networks) as running:
        yield running


@pytest.fixture
def key(home: Server) -> Key:
    return home.make_app()


@pytest.fixture
def client(home: Server, key: Key, connect: Callable[..., Client]) -> Client:
    return connect(home.url, key)


def _receive(_: int, request: bytes) -> bytes:
    """Accept every webhook, and echo verification requests."""
    target = request.split(b" ", 2)[1].decode()
    return (
        response(200, echo(target.partition("?")[2])) if request.startswith(b"GET") else response(200, "ok")
    )


def _wait_for_deliveries(client: Client, callback: Callback, count: int) -> None:
    deadline = time.monotonic() + 30
    while len(list(client.iter_deliveries(callback.callback_id))) < count and time.monotonic() < deadline:
        time.sleep(0.05)


def _headers(service: FakeService, number: int) -> dict[str, str]:
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    return {name: service.header(number, name) for name in names}


def test_an_event_is_delivered_verified_listed_and_replayed(
    home: Server, client: Client, fake_service: Fake
) -> None:
    service = fake_service(_receive)
    began = datetime.now(UTC) - timedelta(minutes=1)
    made = client.create_callback(f"{service.url}/webhooks")
    assert made.secret is not None
    assert [each.callback_id for each in client.list_callbacks()] == [made.callback_id]
    sign_id = client.create_sign("极光推送")
    home.decide(sign_id, passed=False, note="第二页")
    _wait_for_deliveries(client, made, 2)
    events = [verify_standard(_headers(service, n), service.body(n), made.secret) for n in range(2)]
    assert [event.type for event in events] == ["signature.submitted", "signature.refused"]
    assert [(event.data.sign_id, event.data.seq) for event in events] == [(sign_id, 1), (sign_id, 2)]
    assert [reason.code for reason in events[1].data.reasons] == ["unreadable"]
    with pytest.raises(WebhookVerificationError):
        verify_standard(_headers(service, 0), service.body(1), made.secret)

    page = client.list_deliveries(made.callback_id, limit=1)
    [last] = page.items
    assert (last.type, last.state, last.status) == ("signature.refused", "delivered", 200)
    assert page.next is not None
    assert client.list_deliveries(made.callback_id, limit=1, cursor=page.next).items[0].seq == 1
    detail = client.get_delivery(made.callback_id, last.delivery_id)
    assert detail.request.body.encode() == service.body(1)
    assert detail.response == "ok"
    client.resend_delivery(made.callback_id, last.delivery_id)
    _wait_for_deliveries(client, made, 3)
    assert client.replay_callback(made.callback_id, since=began, until=datetime.now(UTC)) == 2
    _wait_for_deliveries(client, made, 5)
    again = verify_standard(_headers(service, 2), service.body(2), made.secret)
    assert again.id == events[1].id
    assert list(client.iter_deliveries(made.callback_id, state="failed")) == []


def test_a_secret_is_rotated_with_an_overlap(client: Client, fake_service: Fake) -> None:
    service = fake_service(_receive)
    old = client.create_callback(service.url)
    new = client.rotate_callback(old.callback_id, overlap_s=3600)
    assert new.secret not in (None, old.secret)
    assert new.old_secret_until is not None
    client.create_sign("极光推送")
    _wait_for_deliveries(client, new, 1)
    for secret in (old.secret, new.secret, [str(new.secret), str(old.secret)]):
        assert verify_standard(_headers(service, 0), service.body(0), secret or "").data.seq == 1
    assert client.resume_callback(new.callback_id).state == "active"
    client.delete_callback(new.callback_id)
    with pytest.raises(UnknownCallback):
        client.get_callback(new.callback_id)
    with pytest.raises(UnknownCallback):
        client.delete_callback(new.callback_id)


def test_the_vendor_format_is_verified_by_echo_and_delivered(
    home: Server, key: Key, client: Client, fake_service: Fake
) -> None:
    service = fake_service(_receive)
    made = client.create_callback(service.url, format="vendor")
    sign_id = client.create_sign("极光推送")
    home.decide(sign_id, passed=True)
    _wait_for_deliveries(client, made, 1)
    assert len(service.requests) == 2
    result = verify_vendor(service.body(1), key.app_key, key.master_secret, tolerance_s=300)
    assert (result.sign_id, result.status) == (sign_id, 1)
    with pytest.raises(NotVerified):
        client.create_callback(fake_service(lambda *_: response(200, "no")).url, form="vendor")
    with pytest.raises(InvalidParameter):
        client.create_callback("ftp://example.com", format="fax")
