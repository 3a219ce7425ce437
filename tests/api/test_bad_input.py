"""Hostile and broken input: a clear refusal from the table, at little cost, and nothing changed by it.

What is broken below HTTP never reaches smsign: there the server (granian) answers 400, 414 or 431 with an
empty body, or closes the connection. Those tests say so in their names.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
import zlib
from collections.abc import Callable

import pytest

from tests.api import raw
from tests.api.raw import BOUNDARY, MULTIPART, SIGN, Answer, basic, form, part
from tests.images import bomb, noise
from tests.running import Key, Server, read_answer

SECONDS = 5.0
"""Each is refused within this time; most take milliseconds, but the machine may be busy."""
MEGABYTES = 40.0
"""A worker's resident memory grows by no more than this while it refuses one."""

GOOD = part("sign", SIGN)
ENCODED = "Content-Transfer-Encoding: base64\r\n"


def post(key: Key, body: bytes, *, content_type: str | None = MULTIPART) -> bytes:
    return raw.request("POST", "/v1/sign", auth=basic(key), content_type=content_type, body=body)


def refuse(server: Server, data: bytes, code: int) -> Answer:
    """Send `data`; assert that it is refused with `code`, cheaply, and changes nothing."""
    (worker,) = raw.workers(server)
    before = raw.peak_megabytes(worker, reset=True)
    with raw.nothing_changes(server):
        started = time.monotonic()
        answer = raw.send(server, data)
        assert time.monotonic() - started < SECONDS
    assert raw.peak_megabytes(worker) - before < MEGABYTES
    assert answer.code == code, answer.body
    assert answer.details
    return answer


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
def test_a_body_is_refused(server: Server, reader: Key, what: str) -> None:
    code, make = BODIES[what]
    refuse(server, post(reader, make()), code)


def test_texts_that_came_encoded_are_named_and_nothing_is_said_of_what_they_hold(
    server: Server, reader: Key
) -> None:
    body = form(part("sign", "5p6B5YWJ", head=ENCODED), part("remark", "eA==" * 50, head=ENCODED))
    details = refuse(server, post(reader, body), 50007).details
    assert [detail["field"] for detail in details] == ["sign", "remark"]
    assert all("base64" in detail["reason"] and "binary" in detail["hint"] for detail in details)


def test_an_empty_part_that_calls_itself_encoded_is_an_absent_one(server: Server, app: Key) -> None:
    assert raw.send(server, post(app, form(GOOD, part("remark", "", head=ENCODED)))).code == 50000


@pytest.mark.parametrize("encoding", ["binary", "8bit", "7bit", "BINARY"])
def test_a_part_that_says_that_it_is_not_encoded_is_taken(server: Server, app: Key, encoding: str) -> None:
    head = f"Content-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: {encoding}\r\n"
    body = form(part("sign", SIGN, head=head), part("image0", noise(), filename="a.png", head=head))
    assert raw.send(server, post(app, body)).code == 50000


@pytest.mark.parametrize(
    "crowd", [[part("x", "y")] * 64, [part("x", "y", head="X: y\r\n" * 8)], [part("x" * 5000, "y")]]
)
def test_a_form_with_too_much_in_it_is_reported_the_bounds(
    server: Server, reader: Key, crowd: list[bytes]
) -> None:
    (detail,) = refuse(server, post(reader, form(GOOD, *crowd)), 50007).details
    assert "64 parts" in detail["reason"]


def _padded_png(size: int) -> bytes:
    return noise() + b"\0" * (size - len(noise()))


def _claiming(width: int, height: int) -> bytes:
    """Return a small PNG whose header claims a size, its checksum right."""
    header = b"IHDR" + struct.pack(">II", width, height) + bomb()[24:29]
    return bomb()[:12] + header + struct.pack(">I", zlib.crc32(header)) + bomb()[33:]


IMAGES: dict[str, Callable[[], list[bytes]]] = {
    "a bomb of 60,000 × 60,000 pixels in 2 KB": lambda: [bomb()],
    "a bomb of 2,000,000,000 × 1 pixels": lambda: [_claiming(2_000_000_000, 1)],
    "one pixel more than allowed": lambda: [_claiming(5_000, 5_001)],
    "no pixels at all": lambda: [_claiming(0, 0)],
    "a negative size": lambda: [_claiming(2**32 - 1, 2**32 - 1)],
    "a text called .png": lambda: [b"this is a text, whatever its name says\n" * 50],
    "the first bytes of a PNG": lambda: [b"\x89PNG\r\n\x1a\n"],
    "a JPEG cut in half": lambda: [noise(form="JPEG", width=400)[:-9000]],
    "a PNG cut in half": lambda: [noise(width=400)[:-9000]],
    "a JPEG without its end": lambda: [noise(form="JPEG")[:-2]],
    "a PNG with one byte changed": lambda: [noise()[:5000] + b"\xff" + noise()[5001:]],
    "a GIF": lambda: [noise(form="GIF")],
    "a WebP": lambda: [noise(form="WEBP")],
    "a BMP": lambda: [noise(form="BMP")],
    "a TIFF": lambda: [noise(form="TIFF")],
    "an SVG": lambda: [b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'],
    "a program": lambda: [b"\x7fELF" + bytes(range(256)) * 20],
    "one byte over 2 MB": lambda: [_padded_png(2_097_153)],
    "15 MB": lambda: [_padded_png(15_000_000)],
    "five of them": lambda: [noise(seed=seed) for seed in range(5)],
    "sixty of them": lambda: [noise(seed=seed) for seed in range(60)],
    "three good ones and a bad one": lambda: [noise(seed=1), noise(seed=2), noise(seed=3), b"x"],
    "one space": lambda: [b" "],
}


@pytest.mark.parametrize("what", sorted(IMAGES))
def test_an_image_is_refused(server: Server, reader: Key, what: str) -> None:
    parts = [part("images", data, filename="a.png") for data in IMAGES[what]()]
    refuse(server, post(reader, form(GOOD, *parts)), 50101)


def test_an_image_field_sent_twice_is_refused(server: Server, reader: Key) -> None:
    body = form(GOOD, part("image0", noise(seed=1)), part("image0", noise(seed=2)))
    assert refuse(server, post(reader, body), 50101).details[0]["field"] == "image0"


def test_an_image_of_exactly_the_limit_is_taken(server: Server, app: Key) -> None:
    assert raw.create(server, app, GOOD, part("image0", _padded_png(2_097_152))).status == 200


@pytest.mark.parametrize(
    "filename", ["../../../../tmp/smsign-was-here", "/etc/passwd", "a\0b", "%2e%2e%2f", "C:\\x"]
)
def test_no_path_from_a_filename_is_ever_used(server: Server, app: Key, filename: str) -> None:
    before = {file for file in server.data.rglob("*") if "blobs" not in file.parts}
    answer = raw.create(server, app, GOOD, part("image0", noise(), filename=filename))
    assert answer.status == 200
    assert {file for file in server.data.rglob("*") if "blobs" not in file.parts} == before


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
def test_a_content_type_is_refused(server: Server, reader: Key, content_type: str) -> None:
    refuse(server, post(reader, form(GOOD), content_type=content_type), CONTENT_TYPES[content_type])


def test_a_missing_content_type_is_refused(server: Server, reader: Key) -> None:
    refuse(server, post(reader, form(GOOD), content_type=None), 50017)


def test_a_10_gb_content_length_is_refused_before_anything_is_sent(server: Server, reader: Key) -> None:
    head = "Content-Length: 10000000000\r\n"
    data = raw.request("POST", "/v1/sign", auth=basic(reader), content_type=MULTIPART, head=head)
    (detail,) = refuse(server, data, 50007).details
    assert "larger than" in detail["reason"]
    assert "images" in detail["hint"]


def test_an_object_far_too_large_is_not_said_to_have_images(server: Server, reader: Key) -> None:
    data = raw.request(
        "PUT",
        "/v1/signs/in-use",
        auth=basic(reader),
        content_type="application/json",
        body=b" " * 70_000,
    )
    (detail,) = refuse(server, data, 50007).details
    assert (detail["reason"], detail["hint"]) == ("larger than 65,536 bytes", "send less")


@pytest.mark.slow
def test_who_goes_on_sending_10_gb_is_cut_off(server: Server, reader: Key) -> None:
    """The answer is out; then the connection is drained for a little, and closed."""
    head = "Content-Length: 10000000000\r\n"
    (worker,) = raw.workers(server)
    before = raw.peak_megabytes(worker, reset=True)
    with raw.nothing_changes(server), socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(15)
        connection.sendall(
            raw.request("POST", "/v1/sign", auth=basic(reader), content_type=MULTIPART, head=head)
        )
        started = time.monotonic()
        sent = _send_until_cut_off(connection, b"x" * 1_000_000, at_most=1_000_000_000)
        assert sent < 500_000_000
        assert time.monotonic() - started < 14
    assert raw.peak_megabytes(worker) - before < MEGABYTES


def _send_until_cut_off(connection: socket.socket, data: bytes, *, at_most: int) -> int:
    sent = 0
    with contextlib.suppress(OSError):
        while sent < at_most:
            sent += connection.send(data)
    return sent


@pytest.mark.slow
def test_a_chunked_body_without_end_is_refused_at_the_limit(server: Server, reader: Key) -> None:
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    head = "Transfer-Encoding: chunked\r\n"
    start = raw.request("POST", "/v1/sign", auth=basic(reader), content_type=MULTIPART, head=head)
    refuse(server, start + chunk * 25, 50007)


@pytest.mark.slow
def test_a_body_in_chunks_of_one_byte_holds_nobody_up(server: Server, reader: Key) -> None:
    body = form(GOOD, part("image0", b"x" * 20_000))
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    head = "Transfer-Encoding: chunked\r\n"
    data = raw.request("POST", "/v1/sign", auth=basic(reader), content_type=MULTIPART, head=head) + chunks
    with raw.nothing_changes(server), socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(60)
        connection.sendall(data)
        started = time.monotonic()
        assert raw.query(server, reader, 0).code == 50102
        assert time.monotonic() - started < 1
        assert raw.parse(read_answer(connection)).code == 50101


@pytest.mark.parametrize("path", ["/v1/sign", "/v1/sign/1", "/nowhere"])
def test_a_header_line_of_1_mb_is_refused(server: Server, reader: Key, path: str) -> None:
    big = f"X-Big: {'a' * 1_000_000}\r\n"
    data = raw.request("POST", path, auth=basic(reader), content_type=MULTIPART, body=form(GOOD), head=big)
    answer = refuse(server, data, 50016 if path == "/nowhere" else 50007)
    assert answer.details[0]["field"] == ("path" if path == "/nowhere" else "x-big")


@pytest.mark.parametrize("kind", ["Basic ", "Bearer ", ""])
def test_an_authorization_of_1_mb_is_refused(server: Server, kind: str) -> None:
    refuse(server, raw.request("GET", "/v1/sign/1", auth=kind + "YTpi" * 250_000), 50002)


def test_a_request_id_of_1_mb_is_not_taken_over(server: Server, reader: Key) -> None:
    data = raw.request("GET", "/nowhere", head=f"X-Request-Id: {'a' * 1_000_000}\r\n")
    assert len(refuse(server, data, 50016).headers["x-request-id"]) <= 64


@pytest.mark.parametrize("sign_id", ["1" * 40, "-1", "1" * 4000, "%00", "%ff%fe", "%ED%A0%80", "1%00"])
def test_an_id_is_refused(server: Server, reader: Key, sign_id: str) -> None:
    refuse(server, raw.request("GET", f"/v1/sign/{sign_id}", auth=basic(reader)), 50102)
    data = raw.request(
        "PUT", f"/v1/sign/{sign_id}", auth=basic(reader), content_type=MULTIPART, body=form(GOOD)
    )
    refuse(server, data, 50102)


CUT_OFF = {
    "two lengths": (400, "POST /v1/sign HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde"),
    "a negative length": (400, "POST /v1/sign HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
    "a length with a sign": (400, "POST /v1/sign HTTP/1.1\r\nContent-Length: +3\r\n\r\nabc"),
    "a length of 25 digits": (400, f"POST /v1/sign HTTP/1.1\r\nContent-Length: {'9' * 25}\r\n\r\n"),
    "a length of letters": (400, "POST /v1/sign HTTP/1.1\r\nContent-Length: five\r\n\r\nabcde"),
    "an encoding that is not chunked": (
        400,
        "POST /v1/sign HTTP/1.1\r\nTransfer-Encoding: xchunked\r\nContent-Length: 3\r\n\r\nabc",
    ),
    "an encoding of nothing": (
        400,
        "POST /v1/sign HTTP/1.1\r\nTransfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc",
    ),
    "a space before the colon": (
        400,
        "POST /v1/sign HTTP/1.1\r\nTransfer-Encoding : chunked\r\nContent-Length: 3\r\n\r\nabc",
    ),
    "a folded header": (400, "GET /healthz HTTP/1.1\r\nX-A: a\r\n b\r\n\r\n"),
    "a NUL in a header": (400, "GET /healthz HTTP/1.1\r\nX-A: a\0b\r\n\r\n"),
    "a garbage request line": (400, "GARBAGE\r\n\r\n"),
    "a request line of HTTP/0.9": (400, "GET /healthz\r\n\r\n"),
    "a TLS greeting": (400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "a path of 100,000 bytes": (414, f"GET /v1/sign/{'1' * 100_000} HTTP/1.1\r\n\r\n"),
    "2,000 header lines": (
        431,
        f"GET /healthz HTTP/1.1\r\n{''.join(f'X-{n}: a' + chr(13) + chr(10) for n in range(2000))}\r\n",
    ),
}


@pytest.mark.parametrize("what", sorted(CUT_OFF))
def test_the_http_layer_refuses_and_closes(server: Server, what: str) -> None:
    status, text = CUT_OFF[what]
    with raw.nothing_changes(server), socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(10)
        connection.sendall(text.encode("latin-1"))
        answer = raw.parse(read_answer(connection))
        assert (answer.status, answer.headers["connection"], answer.body) == (status, "close", b"")
        assert connection.recv(1) == b""


def test_with_an_encoding_and_a_length_the_encoding_counts_and_the_connection_ends(
    server: Server, reader: Key
) -> None:
    """RFC 9112, 6.3: what follows must never be taken for a request."""
    head = "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"
    data = raw.request("POST", "/v1/sign", auth=basic(reader), content_type=MULTIPART, head=head)
    smuggled = raw.request("GET", "/healthz")
    with raw.nothing_changes(server), socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(10)
        connection.sendall(data + b"0\r\n\r\n" + smuggled)
        answer = raw.parse(read_answer(connection))
        assert (answer.code, answer.headers["connection"]) == (50003, "close")
        assert connection.recv(65536) == b""


@pytest.mark.slow
def test_a_body_that_was_refused_unread_is_never_taken_for_requests(server: Server) -> None:
    smuggled = raw.request("GET", "/healthz") * 100
    data = raw.request("POST", "/v1/sign", head="Content-Length: 1000000\r\n") + smuggled
    with raw.nothing_changes(server), socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.settimeout(20)
        connection.sendall(data)
        assert raw.parse(read_answer(connection)).code == 50001
        assert connection.recv(65536) == b""


def test_a_broken_chunk_is_refused_and_ends_the_connection(server: Server, reader: Key) -> None:
    head = "Transfer-Encoding: chunked\r\n"
    data = raw.request("POST", "/v1/sign", auth=basic(reader), content_type=MULTIPART, head=head)
    for broken in (b"ZZ\r\n\r\n", b"5\r\nabcdefgh\r\n", b"ffffffffffffffffff\r\nx"):
        with raw.nothing_changes(server):
            assert raw.send(server, data + broken).code == 50007


@pytest.mark.parametrize("sent", [0, 100, 150_000, 1_000_000])
def test_a_sender_who_leaves_leaves_nothing_behind(server: Server, reader: Key, sent: int) -> None:
    body = form(GOOD, part("image0", noise(width=800, height=800)))
    data = post(reader, body)
    with raw.nothing_changes(server):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(data[: len(data) - len(body) + sent])
            time.sleep(0.05)
        time.sleep(0.05)


def test_who_shuts_the_sending_side_too_early_reads_why(server: Server, reader: Key) -> None:
    data = post(reader, form(GOOD, part("image0", noise())))[:-2000]
    with raw.nothing_changes(server), socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = raw.parse(read_answer(connection))
    assert answer.code == 50007
    assert "ends before" in answer.details[0]["reason"]


@pytest.mark.slow
@pytest.mark.parametrize("pause", [60.0, 0.2])
def test_a_slow_sender_is_refused(start: Callable[..., Server], pause: float) -> None:
    """One stops after the first bytes; one sends a byte now and then. Neither holds a query up."""
    server = start(body_timeout=1)
    app = server.make_app()
    head = "Content-Length: 100000\r\n"
    start_of_it = raw.request("POST", "/v1/sign", auth=basic(app), content_type=MULTIPART, head=head)
    with raw.nothing_changes(server), socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(start_of_it + GOOD)
        connection.settimeout(pause)
        started = time.monotonic()
        answer = b""
        while not answer and time.monotonic() - started < 10:
            assert raw.query(server, app, 0).code == 50102
            try:
                answer = read_answer(connection)
            except TimeoutError:
                connection.sendall(b"-")
        assert time.monotonic() - started < 6
    refused = raw.parse(answer)
    assert refused.code == 50007
    assert "slow" in refused.details[0]["reason"]


@pytest.mark.process
def test_a_slow_sender_of_headers_is_cut_off_by_the_http_layer(start_plain: Callable[..., Server]) -> None:
    """No request is there to be refused: after 15 seconds the connection is closed without an answer."""
    server = start_plain()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"POST /v1/sign HTTP/1.1\r\nHost: x\r\nAuthoriz")
        connection.settimeout(25)
        assert connection.recv(1000) == b""
    assert raw.send(server, raw.request("GET", "/healthz")).status == 200


@pytest.mark.slow
def test_a_hundred_silent_connections_hold_nobody_up(start: Callable[..., Server]) -> None:
    server = start(body_timeout=5)
    app = server.make_app()
    head = "Content-Length: 100000\r\n"
    data = raw.request("POST", "/v1/sign", auth=basic(app), content_type=MULTIPART, head=head)
    connections = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(300)]
    try:
        for index, connection in enumerate(connections):
            connection.sendall(data[: 40 if index % 2 else len(data)])
        started = time.monotonic()
        assert raw.create(server, app, GOOD, part("image0", noise())).status == 200
        assert time.monotonic() - started < 3
    finally:
        for connection in connections:
            connection.close()
