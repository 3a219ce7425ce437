"""What published clients rely on: Content-Type, boundaries, image fields, bodies that are ignored."""

from __future__ import annotations

import socket

import pytest

from tests.api import raw
from tests.api.raw import BOUNDARY, SIGN, basic, form, part
from tests.api.test_recorded import Stored, stored
from tests.images import noise
from tests.running import Key, Server, read_response

CONTENT_TYPES = [
    f"multipart/form-data; boundary={BOUNDARY}",
    f"multipart/form-data ; boundary={BOUNDARY}",
    f"multipart/form-data;; boundary={BOUNDARY}",
    f"multipart/form-data;boundary={BOUNDARY}",
    f'multipart/form-data; boundary="{BOUNDARY}"',
    f"Multipart/Form-Data; BOUNDARY={BOUNDARY}",
    f"multipart/form-data; charset=utf-8; boundary={BOUNDARY}",
    f"multipart/form-data; boundary={BOUNDARY}; charset=UTF-8",
    f"multipart/form-data;  boundary = {BOUNDARY}",
    f"multipart/form-data; boundary={BOUNDARY};",
]


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_content_types_of_real_clients_are_accepted(server: Server, app: Key, content_type: str) -> None:
    data = raw.request(
        "POST",
        "/v1/sign",
        auth=basic(app),
        content_type=content_type,
        body=form(part("sign", SIGN), part("image0", noise())),
    )
    response = raw.send(server, data)
    assert response.status == 200, response.body
    assert stored(server, response.sign_id).slots == ("image0",)


@pytest.mark.parametrize("boundary", ["========7d4a6d158c9", "=", "a b", "(),./:=?'+_-", "x" * 70])
def test_a_boundary_may_have_any_character_of_rfc_2046(server: Server, app: Key, boundary: str) -> None:
    body = form(part("sign", SIGN)).replace(BOUNDARY.encode(), boundary.encode())
    quoted = boundary if boundary.startswith("=") else f'"{boundary}"'
    data = raw.request(
        "POST",
        "/v1/sign",
        auth=basic(app),
        content_type=f"multipart/form-data; boundary={quoted}",
        body=body,
    )
    assert raw.send(server, data).status == 200


@pytest.mark.parametrize("content_type", [None, "application/json", "multipart/form-data", "", "?"])
@pytest.mark.parametrize("length", ["", "Content-Length: 0\r\n"])
def test_get_and_delete_accept_any_content_type_or_none(
    server: Server, app: Key, refused: int, content_type: str | None, length: str
) -> None:
    for method in ("GET", "DELETE"):
        data = raw.request(
            method, f"/v1/sign/{refused}", auth=basic(app), content_type=content_type, head=length
        )
        assert raw.send(server, data).status == 200


def test_a_body_on_get_and_delete_is_ignored_and_the_connection_stays_open(
    server: Server, app: Key, refused: int
) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        for method, path in (("GET", refused), ("DELETE", refused), ("GET", 0)):
            connection.sendall(raw.request(method, f"/v1/sign/{path}", auth=basic(app), body=b"GET /x" * 9))
            response = raw.parse(read_response(connection))
            assert response.status == (403 if path == 0 else 200)


def test_four_images_named_images_fill_the_four_slots(server: Server, app: Key) -> None:
    images = [noise(seed=seed, form=form) for seed, form in enumerate(("PNG", "JPEG", "PNG", "JPEG"))]
    response = raw.create(server, app, part("sign", SIGN), *(part("images", data) for data in images))
    assert stored(server, response.sign_id).slots == ("image0", "image1", "image2", "image3")


def test_numbered_and_unnumbered_images_share_the_four_slots(server: Server, app: Key) -> None:
    parts = [part("sign", SIGN), part("images", noise(seed=1)), part("image1", noise(seed=2))]
    parts += [part("images", noise(seed=3)), part("image0", noise(seed=4))]
    response = raw.create(server, app, *parts)
    assert stored(server, response.sign_id).slots == ("image0", "image1", "image2", "image3")


def test_all_fields_of_later_revisions_are_stored(server: Server, app: Key) -> None:
    texts = {
        "type": "3",
        "remark": "备" * 100,
        "legalPersonName": "王小明",
        "legalPersonIdNumber": "11010119900101001X",
        "socialCreditCode": "91110108MA01A2B3C4",
        "thirdPartyCompanyName": "第三方 公司",
    }
    named = (
        "idCardImage",
        "businessLicenseImage",
        "icpAppScreenshot",
        "trademarkImage",
        "thirdPartyAuthImage",
        "otherImage",
    )
    parts = [part(name, text) for name, text in texts.items()]
    parts += [part(name, noise(seed=index)) for index, name in enumerate(named)]
    response = raw.create(server, app, *parts, part("unknown", "ignored"), part("sign", SIGN))
    assert response.status == 200, response.body
    assert stored(server, response.sign_id) == Stored(fields=texts, slots=tuple(sorted(named)))
