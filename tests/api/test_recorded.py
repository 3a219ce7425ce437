"""Published clients, byte for byte: their recorded requests.

`recorded/` has whole requests as those clients sent them. A replay changes Host, Authorization and the id in
the path, and never a byte of the body or of Content-Type.
"""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import msgspec
import pytest

from tests.api import raw
from tests.api.raw import SIGN, basic
from tests.running import Key, Server, read_response

RECORDED = Path(__file__).parent / "recorded"


class Stored(msgspec.Struct, frozen=True):
    """What is stored of a submission."""

    sign: str = SIGN
    fields: dict[str, str] = {}
    slots: tuple[str, ...] = ()


ACCEPTED = {
    # C#: the image is called `image`, without a filename; type=0 was never set.
    "cs-new-create": Stored(fields={"remark": "说明"}, slots=("image0",)),
    "cs-new-update": Stored(fields={"type": "1"}, slots=("image0",)),  # its remark has no name at all
    "curl-quote-in-name": Stored("申请的签名", slots=("image0",)),
    "doc-curl-semi-semi": Stored("申请的签名"),
    "doc-curl-semi-semi-image": Stored("申请的签名", slots=("image0",)),
    "go": Stored(fields={"type": "1"}, slots=("idCardImage",)),
    "guzzle-style": Stored(slots=("image0",)),  # every part has a Content-Length
    "java-common-formUpload": Stored(slots=("image0",)),  # begins with an empty preamble
    "java-final": Stored(fields={"type": "7"}, slots=("image0",)),  # image as `images`
    "java-intermediate-null-remark": Stored(fields={"type": "7"}, slots=("image0",)),  # remark=null: none
    "java-whole-head": Stored(fields={"type": "7"}, slots=("image0",)),
    "php-final": Stored(slots=("image0",)),  # posts to /v1/sign/, a local path as filename
    "php-final-noimage": Stored(),  # image0, type and remark are there, all empty
    "php-gbk-winpath": Stored(slots=("image0",)),  # filename in GBK
    "php-whole-head": Stored(slots=("image0",)),
    "py-bytes": Stored(slots=("image0",)),
    "py-fileobj": Stored(fields={"type": "1", "remark": "说明"}, slots=("image0",)),
    "py-old-rfc2231": Stored(slots=("image0",)),  # filename* and no filename
    "py-text-only": Stored(),
    "py-whole-head": Stored(fields={"type": "1", "remark": "说明"}, slots=("image0",)),
}


REJECTED = {
    "cs-old-nameless": 50007,  # no part has a name: there is no `sign`
    "java-first-mangled": 50104,  # keeps the low byte of each character
    "py-pathstring": 50101,  # a path in place of the image
}


OTHERS = {"java-query", "java-delete", "php-delete", "py-query", "py-delete"}


def recorded(name: str, key: Key, sign_id: int = 0) -> bytes:
    """Return a recorded request for a key, and for an id if its path has one."""
    head, mark, body = (RECORDED / f"{name}.bin").read_bytes().partition(b"\r\n\r\n")
    head = re.sub(rb"(?m)^(Authorization: )[^\r]*", rb"\g<1>" + basic(key).encode(), head, count=1)
    head = re.sub(rb"(?m)^(Host: )[^\r]*", rb"\g<1>smsign.test", head, count=1)
    head = head.replace(b"/37582", b"/%d" % sign_id, 1)
    return head + mark + body


def stored(server: Server, sign_id: int) -> Stored:
    content, fields = raw.rows(
        server, "SELECT content, fields FROM version WHERE signature_id = $1 ORDER BY n DESC LIMIT 1", sign_id
    )[0]
    slots = raw.rows(server, "SELECT slot FROM image WHERE signature_id = $1 ORDER BY slot", sign_id)
    return Stored(content, json.loads(fields), tuple(slot for (slot,) in slots))


def test_every_recorded_request_is_replayed() -> None:
    names = {file.stem for file in RECORDED.glob("*.bin")}
    assert names == set(ACCEPTED) | set(REJECTED) | OTHERS


@pytest.mark.parametrize("name", sorted(ACCEPTED))
def test_a_recorded_submission_is_stored_with_all_its_fields(
    server: Server, app: Key, refused: int, name: str
) -> None:
    response = raw.send(server, recorded(name, app, refused))
    assert response.status == 200, response.body
    assert response.body == b'{"sign_id":%d}' % response.sign_id
    assert stored(server, response.sign_id) == ACCEPTED[name]
    assert raw.query(server, app, response.sign_id).json()["sign"] == ACCEPTED[name].sign


@pytest.mark.parametrize("name", sorted(REJECTED))
def test_a_recorded_broken_submission_is_an_error_and_changes_nothing(
    server: Server, reader: Key, name: str
) -> None:
    with raw.nothing_changes(server):
        response = raw.send(server, recorded(name, reader))
    assert (response.status, response.code) == (403, REJECTED[name])


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_a_recorded_query_or_delete_works(server: Server, app: Key, refused: int, name: str) -> None:
    response = raw.send(server, recorded(name, app, refused))
    assert response.status == 200
    if name.endswith("delete"):
        assert (response.headers["content-length"], response.body) == ("0", b"")
        assert raw.query(server, app, refused).code == 50102
    else:
        assert response.json()["sign_id"] == refused


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a_recorded_request_may_arrive_in_packets_of_any_size(server: Server, app: Key, size: int) -> None:
    data = recorded("java-final", app)
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), size):
            connection.sendall(data[start : start + size])
        response = raw.parse(read_response(connection))
    assert stored(server, response.sign_id) == ACCEPTED["java-final"]
