"""Which error comes first if several apply (docs: Wire format, The order of errors)."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from smsign.actions import apps as app_actions
from smsign.storage.rows import apps as app_rows
from tests.api import raw
from tests.api.raw import MULTIPART, SIGN, Response, basic, form, part
from tests.running import Key, Server


class World(msgspec.Struct):
    """Applications in the states that the faults need, shared by all pairs."""

    refused: Key
    """Has a refused signature and nothing in the audit: modifying it would work."""
    refused_id: int
    waiting: Key
    """Has a refused signature, and another in the audit."""
    waiting_id: int
    passed: Key
    passed_id: int
    closed: Key


class Draft(msgspec.Struct):
    """A request that would succeed, until a fault is put in."""

    method: str
    path: str
    auth: str | None
    content_type: str | None
    parts: list[bytes] | None


@pytest.fixture(scope="module")
def world(server: Server) -> World:
    refused, waiting, passed, closed = server.make_apps(4)
    ids = []
    for key, verdict in ((refused, False), (waiting, False), (passed, True)):
        ids.append(raw.create(server, key).sign_id)
        server.decide(ids[-1], passed=verdict)
    assert raw.create(server, waiting).status == 200

    async def close(stores: Any) -> None:
        found = await app_rows.get(stores.db.read, closed.app_key)
        await app_actions.set_open(stores.db, app=found, sms_open=False, actor="test:operator", now=1)

    server.do(close)
    return World(refused, ids[0], waiting, ids[1], passed, ids[2], closed)


def _unknown_path(world: World, draft: Draft) -> None:
    draft.path = "/v1/signatures/1"


def _unknown_method(world: World, draft: Draft) -> None:
    draft.method = "PATCH"


def _no_auth(world: World, draft: Draft) -> None:
    draft.auth = None


def _wrong_auth(world: World, draft: Draft) -> None:
    draft.auth = basic(Key(secrets.token_hex(12), "0" * 24))


def _closed_app(world: World, draft: Draft) -> None:
    draft.auth = basic(world.closed)


def _unknown_id(world: World, draft: Draft) -> None:
    draft.path = "/v1/sign/0"


def _empty_body(world: World, draft: Draft) -> None:
    draft.parts = None


def _media_type(world: World, draft: Draft) -> None:
    draft.content_type = "application/json"


def _unreadable(world: World, draft: Draft) -> None:
    draft.content_type = "multipart/form-data; boundary=another"


def _no_sign(world: World, draft: Draft) -> None:
    draft.parts = [each for each in draft.parts or [] if b'name="sign"' not in each] + [part("x", "y")]


def _bad_content(world: World, draft: Draft) -> None:
    draft.parts = [each for each in draft.parts or [] if b'name="sign"' not in each] + [part("sign", "a!")]


def _bad_image(world: World, draft: Draft) -> None:
    draft.parts = [*(draft.parts or []), part("image0", "text", filename="a.png")]


def _in_audit(world: World, draft: Draft) -> None:
    draft.path, draft.auth = f"/v1/sign/{world.waiting_id}", basic(world.waiting)


def _has_passed(world: World, draft: Draft) -> None:
    draft.path, draft.auth = f"/v1/sign/{world.passed_id}", basic(world.passed)


Fault = Callable[[World, Draft], None]


FAULTS: list[tuple[int, Fault]] = [
    (50016, _unknown_path),
    (50018, _unknown_method),
    (50001, _no_auth),
    (50002, _wrong_auth),
    (50008, _closed_app),
    (50102, _unknown_id),
    (50003, _empty_body),
    (50017, _media_type),
    (50007, _unreadable),
    (50007, _no_sign),
    (50104, _bad_content),
    (50101, _bad_image),
    (50103, _in_audit),
    (50102, _has_passed),
]
"""In wire.md's order. The later fault is put in first, so that the earlier one has the last word."""


def respond(server: Server, world: World, *faults: Fault) -> Response:
    draft = Draft(
        "PUT", f"/v1/sign/{world.refused_id}", basic(world.refused), MULTIPART, [part("sign", SIGN)]
    )
    for fault in faults:
        fault(world, draft)
    return raw.send(
        server,
        raw.request(
            draft.method,
            draft.path,
            auth=draft.auth,
            content_type=draft.content_type,
            body=form(*draft.parts) if draft.parts is not None else b"",
        ),
    )


@pytest.mark.parametrize("code, fault", FAULTS, ids=lambda value: getattr(value, "__name__", None))
def test_each_fault_alone_has_its_code(server: Server, world: World, code: int, fault: Fault) -> None:
    assert respond(server, world, fault).code == code


@pytest.mark.parametrize(
    "earlier, later",
    list(itertools.combinations(FAULTS, 2)),
    ids=lambda fault: fault[1].__name__.strip("_"),
)
def test_of_two_faults_the_earlier_one_decides_the_code(
    server: Server, world: World, earlier: tuple[int, Fault], later: tuple[int, Fault]
) -> None:
    assert respond(server, world, later[1], earlier[1]).code == earlier[0]


def test_the_media_type_is_checked_before_the_size_of_the_body(server: Server, reader: Key) -> None:
    head = "Content-Length: 10000000000\r\n"
    data = raw.request("POST", "/v1/sign", auth=basic(reader), content_type="application/json", head=head)
    assert raw.send(server, data).code == 50017


def test_modifying_a_passed_signature_is_50103_while_another_is_in_the_audit_or_else_50102(
    server: Server, app: Key
) -> None:
    passed = raw.create(server, app).sign_id
    server.decide(passed, passed=True)
    assert raw.modify(server, app, passed).code == 50102
    waiting = raw.create(server, app).sign_id
    assert raw.modify(server, app, passed).code == 50103
    assert raw.modify(server, app, waiting).code == 50103
    assert raw.create(server, app).code == 50103


def test_50103_names_the_signature_in_the_audit(server: Server, app: Key) -> None:
    waiting = raw.create(server, app).sign_id
    (detail,) = raw.create(server, app).details
    assert str(waiting) in detail["reason"]
