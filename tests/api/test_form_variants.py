"""Forms as HTTP libraries in the field send them: field names, headers, boundaries, absent values."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from tests.api import raw
from tests.api.raw import BOUNDARY, MULTIPART, SIGN, basic, form, part
from tests.images import noise
from tests.running import Key, Server

GOOD = part("sign", SIGN)


def _slots(server: Server, sign_id: int) -> list[str]:
    sql = "SELECT slot FROM image WHERE signature_id = $1 ORDER BY slot"
    return [slot for (slot,) in raw.rows(server, sql, sign_id)]


def _fields(server: Server, sign_id: int) -> object:
    return json.loads(raw.rows(server, "SELECT fields FROM version WHERE signature_id = $1", sign_id)[0][0])


@pytest.mark.parametrize(
    ("names", "slots"),
    [
        (["images[]", "images[]"], ["image0", "image1"]),
        (["images[0]", "images[1]", "images[12]"], ["image0", "image1", "image2"]),
        (["image[]"], ["image0"]),
        (["image"], ["image0"]),
        (["image0[]", "image3[]"], ["image0", "image3"]),
        (["image2[0]"], ["image2"]),
        (["idCardImage[]"], ["idCardImage"]),
    ],
)
def test_brackets_after_an_image_field_are_ignored(
    server: Server, app: Key, names: list[str], slots: list[str]
) -> None:
    parts = [part(name, noise(seed=n), filename="a.png") for n, name in enumerate(names)]
    response = raw.create(server, app, GOOD, *parts)
    assert response.status == 200, response.body
    assert _slots(server, response.sign_id) == slots


@pytest.mark.parametrize("name", ["Image0", "image4", "file", "images[a]", "pic", "upload[]", "IMAGES", ""])
@pytest.mark.parametrize("path", ["/v1/sign", "/v1/signs/check"])
def test_an_image_in_an_unknown_field_is_an_error_that_names_the_right_fields(
    server: Server, app: Key, name: str, path: str
) -> None:
    body = form(GOOD, part(name, noise(), filename="licence.png"))
    head = raw.request("POST", path, auth=basic(app), content_type=MULTIPART, body=body)
    with raw.nothing_changes(server):
        response = raw.send(server, head)
    if path.endswith("check"):
        [problem] = response.json()["problems"]
        assert problem["code"] == 50101
    else:
        assert response.code == 50101
        [problem] = response.details
    assert problem["field"] == name
    assert "image0, image1, image2, image3 or images" in problem["hint"]


def test_an_image_of_another_format_in_an_unknown_field_is_named_too(server: Server, app: Key) -> None:
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    response = raw.create(server, app, GOOD, part("photo", heic, filename="IMG_0001.HEIC"))
    assert (response.code, response.details[0]["field"]) == (50101, "photo")


@pytest.mark.parametrize("data", [b"x", b"BM", b"{}", b"GIF", b"\xff\xd8", "图片".encode()])
def test_a_text_in_an_unknown_field_is_ignored(server: Server, app: Key, data: bytes) -> None:
    assert raw.create(server, app, GOOD, part("note", data)).status == 200


@pytest.mark.parametrize("value", ["null", "undefined", ""])
def test_a_value_that_is_not_set_counts_as_absent(server: Server, app: Key, value: str) -> None:
    names = ("type", "remark", "legalPersonName", "socialCreditCode", "image0", "images", "otherImage")
    response = raw.create(server, app, GOOD, *(part(name, value) for name in names))
    assert response.status == 200, response.body
    assert _slots(server, response.sign_id) == []
    assert _fields(server, response.sign_id) == {}


def test_a_signature_may_be_named_null(server: Server, app: Key) -> None:
    assert raw.create(server, app, part("sign", "null")).status == 200


@pytest.mark.parametrize("encoding", ["base64", "BASE64", "quoted-printable"])
def test_an_image_in_an_encoding_is_named_as_such(server: Server, app: Key, encoding: str) -> None:
    head = f"Content-Transfer-Encoding: {encoding}\r\n"
    image = part("image0", base64.b64encode(noise()), filename="a.png", head=head)
    with raw.nothing_changes(server):
        response = raw.create(server, app, GOOD, image)
    assert response.code == 50101
    [detail] = response.details
    assert detail["field"] == "image0"
    assert f"encoded as {encoding.lower()}" in detail["reason"]


def test_an_image_as_base64_text_is_named_as_such(server: Server, app: Key) -> None:
    response = raw.create(server, app, GOOD, part("image0", base64.b64encode(noise())))
    assert response.code == 50101
    assert "base64 text" in response.details[0]["reason"]


@pytest.mark.parametrize("path", ["//v1/sign", "/v1//sign", "///v1/sign", "//v1//sign/"])
def test_doubled_slashes_are_the_same_path(server: Server, app: Key, path: str) -> None:
    data = raw.request("POST", path, auth=basic(app), content_type=MULTIPART, body=form(GOOD))
    assert raw.parse(server.raw(data)).status == 200


@pytest.mark.parametrize(
    "header",
    [
        f"multipart/form-data, {MULTIPART}",
        f"{MULTIPART}, multipart/form-data",
        f"multipart/form-data; boundary=other, {MULTIPART}",
        f"application/json, {MULTIPART}",
        f'{MULTIPART}, multipart/form-data; boundary=""',
        f"multipart/form-data;charset=utf-8,{MULTIPART}",
    ],
)
def test_the_last_well_formed_of_two_content_types_counts(server: Server, app: Key, header: str) -> None:
    data = raw.request("POST", "/v1/sign", auth=basic(app), content_type=header, body=form(GOOD))
    assert raw.send(server, data).status == 200


def test_content_type_in_two_lines_counts_as_one_joined_by_a_comma(server: Server, app: Key) -> None:
    head = "Content-Type: multipart/form-data\r\n"
    data = raw.request(
        "POST", "/v1/sign", auth=basic(app), content_type=MULTIPART, body=form(GOOD), head=head
    )
    assert raw.send(server, data).status == 200


def test_two_content_types_without_a_boundary_are_said_to_be_two(server: Server, app: Key) -> None:
    header = "multipart/form-data, multipart/form-data"
    data = raw.request("POST", "/v1/sign", auth=basic(app), content_type=header, body=form(GOOD))
    response = raw.send(server, data)
    assert response.code == 50007
    assert "sent twice" in response.details[0]["reason"]


@pytest.mark.parametrize("padding", [" ", "\t", " \t  "])
def test_padding_behind_a_boundary_is_allowed(server: Server, app: Key, padding: str) -> None:
    line = f"--{BOUNDARY}"
    body = form(GOOD, part("image0", noise(), filename="a.png"))
    body = body.replace(f"{line}\r\n".encode(), f"{line}{padding}\r\n".encode())
    body = body.replace(f"{line}--\r\n".encode(), f"{line}--{padding}\r\n".encode())
    data = raw.request("POST", "/v1/sign", auth=basic(app), content_type=MULTIPART, body=body)
    response = raw.send(server, data)
    assert response.status == 200, response.body
    assert _slots(server, response.sign_id) == ["image0"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "x-unknown"])
def test_a_compressed_body_is_an_error_that_names_the_encoding(
    server: Server, app: Key, encoding: str
) -> None:
    head = f"Content-Encoding: {encoding}\r\n"
    body = gzip.compress(form(GOOD))
    data = raw.request("POST", "/v1/sign", auth=basic(app), content_type=MULTIPART, body=body, head=head)
    with raw.nothing_changes(server):
        response = raw.send(server, data)
    assert (response.status, response.code) == (415, 50017)
    assert response.details[0]["field"] == "Content-Encoding"
    assert encoding in response.details[0]["reason"]


def test_identity_is_no_compression(server: Server, app: Key) -> None:
    assert raw.create(server, app, head="Content-Encoding: identity\r\n").status == 200
