"""The vendor's Python package, curl with the contract's own lines, and connections."""

from __future__ import annotations

import io
import json
import shlex
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jsms
import pytest

from tests.api import raw
from tests.api.raw import SIGN, Response, basic, form, part
from tests.api.test_recorded import Stored, stored
from tests.images import noise
from tests.running import Key, Server, read_response


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
    assert stored(server, int(sign_id)) == Stored(fields={"type": "1", "remark": "说明"}, slots=("image0",))
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


def test_the_contracts_curl_lines_work_with_only_the_host_changed(server: Server, app: Key) -> None:
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


def test_curl_gets_100_continue_before_a_large_upload(server: Server, app: Key, large: Path) -> None:
    done = curl(server, app, CURLS["create"], "-v", "-F", f"image0=@{large}")
    assert "> Expect: 100-continue" in done.stderr
    assert "< HTTP/1.1 100 Continue" in done.stderr
    assert stored(server, json.loads(done.stdout)["sign_id"]) == Stored("申请的签名", slots=("image0",))


def test_an_upload_with_a_wrong_secret_gets_the_error_before_the_body_is_sent(
    server: Server, reader: Key, large: Path
) -> None:
    wrong = Key(reader.app_key, "0" * 24)
    done = curl(server, wrong, CURLS["create"], "-v", "-F", f"image0=@{large}", "-w", "%{size_upload}")
    assert "100 Continue" not in done.stderr
    body, _, sent = done.stdout.rpartition("}")
    assert json.loads(body + "}")["error"]["code"] == 50002
    assert int(sent) == 0


def test_a_chunked_upload_is_accepted(server: Server, app: Key, large: Path) -> None:
    done = curl(
        server, app, CURLS["create"], "-v", "-F", f"image0=@{large}", "-H", "Transfer-Encoding: chunked"
    )
    assert "> Transfer-Encoding: chunked" in done.stderr
    assert stored(server, json.loads(done.stdout)["sign_id"]) == Stored("申请的签名", slots=("image0",))


def test_http_1_0_is_served(server: Server, app: Key) -> None:
    done = curl(server, app, CURLS["create"], "--http1.0")
    assert raw.query(server, app, json.loads(done.stdout)["sign_id"]).status == 200


def test_requests_on_one_connection_get_responses_in_order(server: Server, app: Key) -> None:
    body = form(part("sign", SIGN))
    create = raw.request("POST", "/v1/sign", auth=basic(app), content_type=raw.MULTIPART, body=body)
    wrong = raw.request("POST", "/v1/sign", auth=basic(app), content_type="text/plain", body=body)
    statuses: list[int] = []
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        for data in (create, wrong, create, wrong, raw.request("GET", "/healthz")):
            connection.sendall(data)
            response: Response = raw.parse(read_response(connection))
            statuses.append(response.status)
    assert statuses == [200, 415, 403, 415, 200]
