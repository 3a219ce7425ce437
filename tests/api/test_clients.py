"""Published clients, byte for byte: their recorded requests, the vendor's Python package, curl.

`recorded/` holds whole requests as those clients put them on the wire. A replay changes Host, Authorization
and, where there is one, the id in the path; never a byte of the body or of Content-Type.
"""

from __future__ import annotations

import io
import json
import re
import shlex
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jsms
import msgspec
import pytest

from tests.api import raw
from tests.api.raw import BOUNDARY, SIGN, Answer, basic, form, part
from tests.images import noise
from tests.running import Key, Server, read_answer

RECORDED = Path(__file__).parent / "recorded"


class Kept(msgspec.Struct, frozen=True):
    """What is kept of a submission that was taken."""

    sign: str = SIGN
    fields: dict[str, str] = {}
    slots: tuple[str, ...] = ()


TAKEN = {
    # C#: the image is called `image`, without a filename; type=0 was never set.
    "cs-new-create": Kept(fields={"remark": "说明"}, slots=("image0",)),
    "cs-new-update": Kept(fields={"type": "1"}, slots=("image0",)),  # its remark has no name at all
    "curl-quote-in-name": Kept("申请的签名", slots=("image0",)),
    "doc-curl-semi-semi": Kept("申请的签名"),
    "doc-curl-semi-semi-image": Kept("申请的签名", slots=("image0",)),
    "go": Kept(fields={"type": "1"}, slots=("idCardImage",)),
    "guzzle-style": Kept(slots=("image0",)),  # every part has a Content-Length
    "java-common-formUpload": Kept(slots=("image0",)),  # begins with an empty preamble
    "java-final": Kept(fields={"type": "7"}, slots=("image0",)),  # image as `images`
    "java-intermediate-null-remark": Kept(fields={"type": "7"}, slots=("image0",)),  # remark=null: none
    "java-whole-head": Kept(fields={"type": "7"}, slots=("image0",)),
    "php-final": Kept(slots=("image0",)),  # posts to /v1/sign/, a local path as filename
    "php-final-noimage": Kept(),  # image0, type and remark are there, all empty
    "php-gbk-winpath": Kept(slots=("image0",)),  # filename in GBK
    "php-whole-head": Kept(slots=("image0",)),
    "py-bytes": Kept(slots=("image0",)),
    "py-fileobj": Kept(fields={"type": "1", "remark": "说明"}, slots=("image0",)),
    "py-old-rfc2231": Kept(slots=("image0",)),  # filename* and no filename
    "py-text-only": Kept(),
    "py-whole-head": Kept(fields={"type": "1", "remark": "说明"}, slots=("image0",)),
}
REFUSED = {
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


@pytest.fixture
def refused(server: Server, app: Key) -> int:
    """The id of a signature of `app` that was refused."""
    sign_id = raw.create(server, app).sign_id
    server.decide(sign_id, passed=False)
    return sign_id


def kept(server: Server, sign_id: int) -> Kept:
    content, fields = raw.rows(
        server, "SELECT content, fields FROM version WHERE signature_id = $1 ORDER BY n DESC LIMIT 1", sign_id
    )[0]
    slots = raw.rows(server, "SELECT slot FROM image WHERE signature_id = $1 ORDER BY slot", sign_id)
    return Kept(content, json.loads(fields), tuple(slot for (slot,) in slots))


def test_every_recorded_request_is_replayed() -> None:
    names = {file.stem for file in RECORDED.glob("*.bin")}
    assert names == set(TAKEN) | set(REFUSED) | OTHERS


@pytest.mark.parametrize("name", sorted(TAKEN))
def test_a_recorded_submission_is_taken_with_all_that_it_carries(
    server: Server, app: Key, refused: int, name: str
) -> None:
    answer = raw.send(server, recorded(name, app, refused))
    assert answer.status == 200, answer.body
    assert answer.body == b'{"sign_id":%d}' % answer.sign_id
    assert kept(server, answer.sign_id) == TAKEN[name]
    assert raw.query(server, app, answer.sign_id).json()["sign"] == TAKEN[name].sign


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_recorded_submission_that_was_mangled_is_refused_and_changes_nothing(
    server: Server, reader: Key, name: str
) -> None:
    with raw.nothing_changes(server):
        answer = raw.send(server, recorded(name, reader))
    assert (answer.status, answer.code) == (403, REFUSED[name])


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_a_recorded_query_or_delete_works(server: Server, app: Key, refused: int, name: str) -> None:
    answer = raw.send(server, recorded(name, app, refused))
    assert answer.status == 200
    if name.endswith("delete"):
        assert (answer.headers["content-length"], answer.body) == ("0", b"")
        assert raw.query(server, app, refused).code == 50102
    else:
        assert answer.json()["sign_id"] == refused


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a_recorded_request_may_arrive_in_any_pieces(server: Server, app: Key, size: int) -> None:
    data = recorded("java-final", app)
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), size):
            connection.sendall(data[start : start + size])
        answer = raw.parse(read_answer(connection))
    assert kept(server, answer.sign_id) == TAKEN["java-final"]


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
def test_content_types_as_seen_in_the_wild_are_read(server: Server, app: Key, content_type: str) -> None:
    data = raw.request(
        "POST",
        "/v1/sign",
        auth=basic(app),
        content_type=content_type,
        body=form(part("sign", SIGN), part("image0", noise())),
    )
    answer = raw.send(server, data)
    assert answer.status == 200, answer.body
    assert kept(server, answer.sign_id).slots == ("image0",)


@pytest.mark.parametrize("boundary", ["========7d4a6d158c9", "=", "a b", "(),./:=?'+_-", "x" * 70])
def test_a_boundary_may_be_made_of_anything_that_rfc_2046_allows(
    server: Server, app: Key, boundary: str
) -> None:
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
def test_get_and_delete_take_any_content_type_or_none(
    server: Server, app: Key, refused: int, content_type: str | None, length: str
) -> None:
    for method in ("GET", "DELETE"):
        data = raw.request(
            method, f"/v1/sign/{refused}", auth=basic(app), content_type=content_type, head=length
        )
        assert raw.send(server, data).status == 200


def test_a_body_on_get_and_delete_is_ignored_and_the_connection_goes_on(
    server: Server, app: Key, refused: int
) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        for method, path in (("GET", refused), ("DELETE", refused), ("GET", 0)):
            connection.sendall(raw.request(method, f"/v1/sign/{path}", auth=basic(app), body=b"GET /x" * 9))
            answer = raw.parse(read_answer(connection))
            assert answer.status == (403 if path == 0 else 200)


def test_four_images_all_named_images_take_the_four_places(server: Server, app: Key) -> None:
    images = [noise(seed=seed, form=form) for seed, form in enumerate(("PNG", "JPEG", "PNG", "JPEG"))]
    answer = raw.create(server, app, part("sign", SIGN), *(part("images", data) for data in images))
    assert kept(server, answer.sign_id).slots == ("image0", "image1", "image2", "image3")


def test_numbered_and_unnumbered_images_share_the_four_places(server: Server, app: Key) -> None:
    parts = [part("sign", SIGN), part("images", noise(seed=1)), part("image1", noise(seed=2))]
    parts += [part("images", noise(seed=3)), part("image0", noise(seed=4))]
    answer = raw.create(server, app, *parts)
    assert kept(server, answer.sign_id).slots == ("image0", "image1", "image2", "image3")


def test_all_fields_of_later_revisions_are_kept(server: Server, app: Key) -> None:
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
    answer = raw.create(server, app, *parts, part("unknown", "ignored"), part("sign", SIGN))
    assert answer.status == 200, answer.body
    assert kept(server, answer.sign_id) == Kept(fields=texts, slots=tuple(sorted(named)))


@pytest.fixture
def client(server: Server, app: Key) -> Iterator[jsms.Jsms]:
    """The vendor's own client, only its BASE_URL changed."""
    client = jsms.Jsms(app.app_key, app.master_secret)
    client.BASE_URL = f"{server.url}/v1/"
    yield client
    client.session.close()


def test_the_vendors_python_client_does_all_four_calls(server: Server, client: jsms.Jsms) -> None:
    image = io.BytesIO(noise())
    image.name = "/home/someone/证照.png"
    created = client.create_sign(SIGN, image0=image, type=1, remark="说明")
    assert list(created) == ["sign_id"]
    sign_id = str(created["sign_id"])
    assert kept(server, int(sign_id)) == Kept(fields={"type": "1", "remark": "说明"}, slots=("image0",))
    server.decide(int(sign_id), passed=False)

    assert client.upadte_sign(sign_id, "修改的签名") == created
    server.decide(int(sign_id), passed=True)
    shown = client.show_sign(sign_id)
    assert (shown["sign"], shown["status"], shown["use_status"]) == ("修改的签名", 1, 1)

    assert client.delete_sign(sign_id)["error"]["code"] == 50105
    other = client.create_sign("另一个签名")
    assert client.delete_sign(str(other["sign_id"])) == 200
    assert client.show_sign(str(other["sign_id"]))["error"]["message"] == "invalid sign id"


CURLS = {
    "create": """curl -X POST \\
  https://api.sms.jpush.cn/v1/sign \\
  -u '7d431e42dfa6a6d693ac2d04:5e987ac6d2e04d95a9d8f0d1' \\
  -H 'content-type: multipart/form-data;' \\
  -F 'sign=申请的签名'""",
    "modify": """curl -X POST \\
  https://api.sms.jpush.cn/v1/sign/37582 \\
  -u '7d431e42dfa6a6d693ac2d04:5e987ac6d2e04d95a9d8f0d1' \\
  -H 'content-type: multipart/form-data;' \\
  -F 'sign=修改的签名'""",
    "query": 'curl --insecure -X GET -v https://api.sms.jpush.cn/v1/sign/37582 -H "Content-Type:'
    ' application/json" -u "7d431e42dfa6a6d693ac2d04:5e987ac6d2e04d95a9d8f0d1"',
    "delete": 'curl --insecure -X DELETE -v https://api.sms.jpush.cn/v1/sign/37582 -H "Content-Type:'
    ' application/json" -u "7d431e42dfa6a6d693ac2d04:5e987ac6d2e04d95a9d8f0d1"',
}
"""The contract's own lines."""


def curl(
    server: Server, key: Key, line: str, *more: str, sign_id: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run one of the contract's lines against `server`: another host, key and id, nothing else."""
    line = line.replace("https://api.sms.jpush.cn", server.url).replace("37582", str(sign_id))
    line = line.replace("7d431e42dfa6a6d693ac2d04:5e987ac6d2e04d95a9d8f0d1", ":".join(key.auth))
    words = shlex.split(line.replace("\\\n", " "))
    return subprocess.run([*words, *more], capture_output=True, text=True, timeout=30, check=True)


def test_the_contracts_curl_lines_work_verbatim_but_for_the_host(server: Server, app: Key) -> None:
    created = json.loads(curl(server, app, CURLS["create"]).stdout)
    sign_id = created["sign_id"]
    server.decide(sign_id, passed=False)
    for method in ("POST", "PUT"):
        line = CURLS["modify"].replace("-X POST", f"-X {method}")
        assert json.loads(curl(server, app, line, sign_id=sign_id).stdout) == created
        server.decide(sign_id, passed=False)
    queried = json.loads(curl(server, app, CURLS["query"], sign_id=sign_id).stdout)
    assert list(queried)[:4] == ["sign_id", "sign", "status", "use_status"]
    assert (queried["sign"], queried["status"]) == ("修改的签名", 2)
    deleted = curl(server, app, CURLS["delete"], sign_id=sign_id)
    assert deleted.stdout == ""
    assert "content-type: application/json\n" in deleted.stderr.lower().replace("\r", "")
    assert "content-length: 0\n" in deleted.stderr.lower().replace("\r", "")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image over 1 MiB: from that size on curl sends Expect: 100-continue."""
    file = tmp_path_factory.mktemp("images") / "证照.png"
    file.write_bytes(noise(width=700, height=700))
    assert 1024 * 1024 < file.stat().st_size < 2_000_000
    return file


def test_curl_waits_for_100_continue_and_gets_it(server: Server, app: Key, large: Path) -> None:
    done = curl(server, app, CURLS["create"], "-v", "-F", f"image0=@{large}")
    assert "> Expect: 100-continue" in done.stderr
    assert "< HTTP/1.1 100 Continue" in done.stderr
    assert kept(server, json.loads(done.stdout)["sign_id"]) == Kept("申请的签名", slots=("image0",))


def test_an_upload_that_will_be_refused_is_refused_before_it_is_sent(
    server: Server, reader: Key, large: Path
) -> None:
    wrong = Key(reader.app_key, "0" * 24)
    done = curl(server, wrong, CURLS["create"], "-v", "-F", f"image0=@{large}", "-w", "%{size_upload}")
    assert "100 Continue" not in done.stderr
    body, _, sent = done.stdout.rpartition("}")
    assert json.loads(body + "}")["error"]["code"] == 50002
    assert int(sent) == 0


def test_a_chunked_upload_is_taken(server: Server, app: Key, large: Path) -> None:
    done = curl(
        server, app, CURLS["create"], "-v", "-F", f"image0=@{large}", "-H", "Transfer-Encoding: chunked"
    )
    assert "> Transfer-Encoding: chunked" in done.stderr
    assert kept(server, json.loads(done.stdout)["sign_id"]) == Kept("申请的签名", slots=("image0",))


def test_http_1_0_is_served(server: Server, app: Key) -> None:
    done = curl(server, app, CURLS["create"], "--http1.0")
    assert raw.query(server, app, json.loads(done.stdout)["sign_id"]).status == 200


def test_many_requests_on_one_connection_are_answered_in_turn(server: Server, app: Key) -> None:
    body = form(part("sign", SIGN))
    create = raw.request("POST", "/v1/sign", auth=basic(app), content_type=raw.MULTIPART, body=body)
    wrong = raw.request("POST", "/v1/sign", auth=basic(app), content_type="text/plain", body=body)
    statuses: list[int] = []
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        for data in (create, wrong, create, wrong, raw.request("GET", "/healthz")):
            connection.sendall(data)
            answer: Answer = raw.parse(read_answer(connection))
            statuses.append(answer.status)
    assert statuses == [200, 415, 403, 415, 200]
