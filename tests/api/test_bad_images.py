"""Invalid images: an error of the contract, at little cost, that changes nothing."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import pytest

from tests.api import raw
from tests.api.raw import GOOD, form, part
from tests.images import bomb, noise
from tests.running import Key, Server


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
def test_a_bad_image_is_an_error(server: Server, reader: Key, what: str) -> None:
    parts = [part("images", data, filename="a.png") for data in IMAGES[what]()]
    raw.expect_error(server, raw.post(reader, form(GOOD, *parts)), 50101)


def test_an_image_field_sent_twice_is_an_error(server: Server, reader: Key) -> None:
    body = form(GOOD, part("image0", noise(seed=1)), part("image0", noise(seed=2)))
    assert raw.expect_error(server, raw.post(reader, body), 50101).details[0]["field"] == "image0"


def test_an_image_of_exactly_the_size_limit_is_accepted(server: Server, app: Key) -> None:
    assert raw.create(server, app, GOOD, part("image0", _padded_png(2_097_152))).status == 200


@pytest.mark.parametrize(
    "filename", ["../../../../tmp/smsign-was-here", "/etc/passwd", "a\0b", "%2e%2e%2f", "C:\\x"]
)
def test_a_path_in_a_filename_is_never_used(server: Server, app: Key, filename: str) -> None:
    before = {file for file in server.data.rglob("*") if "blobs" not in file.parts}
    response = raw.create(server, app, GOOD, part("image0", noise(), filename=filename))
    assert response.status == 200
    assert {file for file in server.data.rglob("*") if "blobs" not in file.parts} == before
