"""Invalid forms and headers: an error of the contract, at little cost, that changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.api import raw
from tests.api.raw import BOUNDARY, GOOD, MULTIPART, SIGN, basic, form, part
from tests.images import noise
from tests.running import Key, Server

ENCODED = "Content-Transfer-Encoding: base64\r\n"


BODIES: dict[str, tuple[int, Callable[[], bytes]]] = {
    "without its last boundary": (50007, lambda: form(GOOD)[:-40]),
    "cut in the middle of an image": (50007, lambda: form(GOOD, part("image0", noise()))[:-3000]),
    "cut in the head of a part": (50007, lambda: GOOD + b"--smsign-test\r\nContent-Dis"),
    "of another boundary": (50007, lambda: form(GOOD).replace(BOUNDARY.encode(), b"other")),
    "of one byte": (50007, lambda: b"x"),
    "of nothing but the last boundary": (50007, lambda: form()),
    "of 100,000 parts": (50007, lambda: form(GOOD, *(part(f"p{n}", "x") for n in range(100_000)))),
    "of 100,000 empty parts": (50007, lambda: form(GOOD, *[part("", "")] * 100_000)),
    "of 100,000 images": (50007, lambda: form(GOOD, *[part("images", "x")] * 100_000)),
    "with a part without a head": (50007, lambda: form(GOOD, b"--smsign-test\r\n\r\nx\r\n")),
    "with a part with 10,000 header lines": (
        50007,
        lambda: form(GOOD, part("a", "x", head="X-A: b\r\n" * 10_000)),
    ),
    "with a part with a header line of 1 MB": (
        50007,
        lambda: form(GOOD, part("a", "x", head=f"X-A: {'b' * 1_000_000}\r\n")),
    ),
    "with a field name of 1 MB": (50007, lambda: form(GOOD, part("a" * 1_000_000, "x"))),
    "with a text of 1 MB": (50007, lambda: form(GOOD, part("remark", "x" * 1_000_000))),
    "with two signs": (50007, lambda: form(GOOD, GOOD)),
    "of 16 MB without a boundary": (50007, lambda: b"\r\n--other" * 1_800_000),
    "with a sign of invalid UTF-8": (50104, lambda: form(part("sign", b"\xe6\x9e\x81\xe5\x85"))),
    "with a sign of surrogates": (50104, lambda: form(part("sign", b"\xed\xa0\x80\xed\xb0\x80"))),
    "with a sign of overlong UTF-8": (50104, lambda: form(part("sign", b"\xc1\x81\xc1\x82"))),
    "with a NUL in its sign": (50104, lambda: form(part("sign", "极\0光"))),
    "with a sign of NULs": (50104, lambda: form(part("sign", "\0\0\0"))),
    "with a sign of controls": (50104, lambda: form(part("sign", "a\x1b[31mb"))),
    "with a sign turned right to left": (50104, lambda: form(part("sign", "极\u202e光"))),
    "with a sign of combining marks": (50104, lambda: form(part("sign", "e\u0301\u0301\u0301"))),
    "with a sign of full-width letters": (50104, lambda: form(part("sign", "ＡＢＣ"))),
    "with a sign of other digits": (50104, lambda: form(part("sign", "١٢٣"))),
    "with a sign in brackets": (50104, lambda: form(part("sign", "【极光】"))),
    "with a sign of one character": (50104, lambda: form(part("sign", "极"))),
    "with a sign of nine characters": (50104, lambda: form(part("sign", "一二三四五六七八九"))),
    "with a NUL in its remark": (50007, lambda: form(GOOD, part("remark", "a\0b"))),
    "with a remark of invalid UTF-8": (50007, lambda: form(GOOD, part("remark", b"\xff\xfe"))),
    "with a sign in base64": (50007, lambda: form(part("sign", "5p6B5YWJ", head=ENCODED))),
    "with a remark in quoted-printable": (
        50007,
        lambda: form(
            GOOD, part("remark", "=E6=9E=81", head="content-transfer-encoding: Quoted-Printable\r\n")
        ),
    ),
    "with a type that is no number": (50007, lambda: form(GOOD, part("type", "1.0"))),
}


@pytest.mark.parametrize("what", sorted(BODIES))
def test_a_bad_body_is_an_error(server: Server, reader: Key, what: str) -> None:
    code, make = BODIES[what]
    raw.expect_error(server, raw.post(reader, make()), code)


def test_encoded_texts_are_the_only_problems_reported(server: Server, reader: Key) -> None:
    body = form(part("sign", "5p6B5YWJ", head=ENCODED), part("remark", "eA==" * 50, head=ENCODED))
    details = raw.expect_error(server, raw.post(reader, body), 50007).details
    assert [detail["field"] for detail in details] == ["sign", "remark"]
    assert all("base64" in detail["reason"] and "binary" in detail["hint"] for detail in details)


def test_an_empty_encoded_part_counts_as_absent(server: Server, app: Key) -> None:
    assert raw.send(server, raw.post(app, form(GOOD, part("remark", "", head=ENCODED)))).code == 50000


@pytest.mark.parametrize("encoding", ["binary", "8bit", "7bit", "BINARY"])
def test_identity_transfer_encodings_are_accepted(server: Server, app: Key, encoding: str) -> None:
    head = f"Content-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: {encoding}\r\n"
    body = form(part("sign", SIGN, head=head), part("image0", noise(), filename="a.png", head=head))
    assert raw.send(server, raw.post(app, body)).code == 50000


@pytest.mark.parametrize(
    "parts", [[part("x", "y")] * 64, [part("x", "y", head="X: y\r\n" * 8)], [part("x" * 5000, "y")]]
)
def test_a_form_with_too_many_parts_is_an_error_that_names_the_limits(
    server: Server, reader: Key, parts: list[bytes]
) -> None:
    (detail,) = raw.expect_error(server, raw.post(reader, form(GOOD, *parts)), 50007).details
    assert "64 parts" in detail["reason"]


CONTENT_TYPES = {
    "multipart/form-data": 50007,
    "multipart/form-data; boundary=": 50007,
    'multipart/form-data; boundary=""': 50007,
    f"multipart/form-data; boundary={'b' * 70_000}": 50007,
    "multipart/form-data; boundary=\xff\xfe": 50007,
    "multipart/mixed; boundary=smsign-test": 50017,
    "multipart/form-data2; boundary=smsign-test": 50017,
    "application/x-www-form-urlencoded": 50017,
    "text/plain": 50017,
    "": 50017,
    ";;;": 50017,
}


@pytest.mark.parametrize("content_type", CONTENT_TYPES, ids=lambda value: value[:40])
def test_a_bad_content_type_is_an_error(server: Server, reader: Key, content_type: str) -> None:
    raw.expect_error(
        server, raw.post(reader, form(GOOD), content_type=content_type), CONTENT_TYPES[content_type]
    )


def test_a_missing_content_type_is_an_error(server: Server, reader: Key) -> None:
    raw.expect_error(server, raw.post(reader, form(GOOD), content_type=None), 50017)


@pytest.mark.parametrize("path", ["/v1/sign", "/v1/sign/1", "/nowhere"])
def test_a_header_line_of_1_mb_is_an_error(server: Server, reader: Key, path: str) -> None:
    big = f"X-Big: {'a' * 1_000_000}\r\n"
    data = raw.request("POST", path, auth=basic(reader), content_type=MULTIPART, body=form(GOOD), head=big)
    response = raw.expect_error(server, data, 50016 if path == "/nowhere" else 50007)
    assert response.details[0]["field"] == ("path" if path == "/nowhere" else "x-big")


@pytest.mark.parametrize("kind", ["Basic ", "Bearer ", ""])
def test_an_authorization_of_1_mb_is_an_error(server: Server, kind: str) -> None:
    raw.expect_error(server, raw.request("GET", "/v1/sign/1", auth=kind + "YTpi" * 250_000), 50002)


def test_a_request_id_of_1_mb_is_replaced(server: Server, reader: Key) -> None:
    data = raw.request("GET", "/nowhere", head=f"X-Request-Id: {'a' * 1_000_000}\r\n")
    assert len(raw.expect_error(server, data, 50016).headers["x-request-id"]) <= 64


@pytest.mark.parametrize("sign_id", ["1" * 40, "-1", "1" * 4000, "%00", "%ff%fe", "%ED%A0%80", "1%00"])
def test_a_malformed_id_is_an_error(server: Server, reader: Key, sign_id: str) -> None:
    raw.expect_error(server, raw.request("GET", f"/v1/sign/{sign_id}", auth=basic(reader)), 50102)
    data = raw.request(
        "PUT", f"/v1/sign/{sign_id}", auth=basic(reader), content_type=MULTIPART, body=form(GOOD)
    )
    raw.expect_error(server, data, 50102)
