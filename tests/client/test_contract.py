"""The contract's four calls through both clients, against a running server on both engines."""

from __future__ import annotations

import hashlib
import io
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from smsign.client import (
    ApiConnectionError,
    AuthFailed,
    Client,
    DecisionTimeout,
    ImageFile,
    InUse,
    InvalidBody,
    InvalidImage,
    InvalidSignature,
    InvalidSignId,
    NoSmsService,
    OtherInAudit,
    SmsignApiError,
    Status,
)
from tests.api.raw import rows
from tests.images import noise
from tests.running import Key, Server, free_port

pytestmark = pytest.mark.process


def slots(server: Server, sign_id: int) -> dict[str, str]:
    """Return the slots of a signature's images, and the SHA-256 of each."""
    found = rows(server, "SELECT slot, sha256 FROM image WHERE signature_id = $1 ORDER BY slot", sign_id)
    return {slot: bytes(sha).hex() if isinstance(sha, bytes) else sha for slot, sha in found}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_signature_is_created_refused_modified_and_passed(server: Server, client: Client) -> None:
    sign_id = client.create_sign("极光推送", images=[noise()], remark="官网")
    pending = client.get_sign(sign_id)
    assert (pending.sign, pending.status, pending.in_audit) == ("极光推送", Status.IN_AUDIT, True)
    server.decide(sign_id, passed=False, note="第二页缺失")
    refused = client.wait_until_decided(sign_id)
    assert refused.refused
    assert "第二页缺失" in (refused.refuse_reason or "")
    assert client.modify_sign(sign_id, "修改的签名") == sign_id
    server.decide(sign_id, passed=True)
    passed = client.get_sign(sign_id)
    assert (passed.passed, passed.in_use, passed.is_default, passed.refuse_reason) == (True, True, 1, None)
    with pytest.raises(InUse):
        client.delete_sign(sign_id)


def test_a_deleted_signature_is_not_found(client: Client) -> None:
    sign_id = client.create_sign("极光推送")
    client.delete_sign(sign_id)
    with pytest.raises(InvalidSignId):
        client.get_sign(sign_id)
    with pytest.raises(InvalidSignId):
        client.delete_sign(sign_id)


def test_images_are_uploaded_from_paths_bytes_and_files(
    server: Server, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / '证照 "1".jpg'
    path.write_bytes(noise(form="JPEG"))
    with path.open("rb") as file:
        images: list[ImageFile] = [path, str(path), noise(), file]
        stored = slots(server, client.create_sign("极光推送", images=images))
        assert not file.closed
    photo, drawn = sha256(path.read_bytes()), sha256(noise())
    assert stored == {"image0": photo, "image1": photo, "image2": drawn, "image3": photo}


def test_images_are_uploaded_to_named_slots(server: Server, client: Client) -> None:
    sent: dict[str, ImageFile] = {"idCardImage": noise(), "image2": io.BytesIO(noise(seed=2))}
    stored = slots(server, client.create_sign("极光推送", images=sent))
    assert stored == {"idCardImage": sha256(noise()), "image2": sha256(noise(seed=2))}


def test_a_file_is_sent_from_its_current_position_even_if_not_seekable(
    server: Server, client: Client
) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self._data = io.BytesIO(data)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: object) -> int:
            return self._data.readinto(buffer)  # type: ignore[arg-type]

    skipped = io.BytesIO(b"front matter" + noise())
    skipped.seek(len(b"front matter"))
    sign_id = client.create_sign("极光推送", images=[Pipe(noise(seed=2)), skipped])  # type: ignore[list-item]
    assert slots(server, sign_id) == {"image0": sha256(noise(seed=2)), "image1": sha256(noise())}


def test_invalid_images_raise_before_any_request(client: Client, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"5 images, at most 4"):
        client.create_sign("极光推送", images=[noise()] * 5)
    with pytest.raises(ValueError, match=r"unknown slot: image4"):
        client.create_sign("极光推送", images={"image4": noise()})
    with pytest.raises(TypeError, match="images is a list"):
        client.create_sign("极光推送", images="licence.png")
    with pytest.raises(TypeError, match="open as text"):
        client.create_sign("极光推送", images=[io.StringIO("x")])  # type: ignore[list-item]
    with pytest.raises(
        TypeError, match=r"image0: builtins.tuple is not an image; pass a path, bytes or a file"
    ):
        client.create_sign("极光推送", images=[("licence.png", noise())])  # type: ignore[list-item]
    with pytest.raises(FileNotFoundError):
        client.create_sign("极光推送", images=[tmp_path / "none.png"])


def test_each_return_code_raises_its_exception_with_all_details(
    server: Server, app: Key, client: Client, connect: Callable[..., Client]
) -> None:
    with pytest.raises(InvalidBody) as wrong:
        client.create_sign("【坏】的 签名", images=[b"no image"], remark="x" * 101)
    assert {"sign", "image0", "remark"} == {each.field for each in wrong.value.details}
    with pytest.raises(InvalidSignature):
        client.create_sign("短")
    with pytest.raises(InvalidImage) as image:
        client.create_sign("极光推送", images=[b"no image"])
    assert [each.field for each in image.value.details] == ["image0"]
    assert (image.value.code, image.value.status) == (50101, 403)
    assert image.value.request_id
    sign_id = client.create_sign("极光推送")
    with pytest.raises(OtherInAudit, match=f"50103 .*: sign: signature {sign_id} is in"):
        client.create_sign("另外的")
    with pytest.raises(AuthFailed):
        connect(server.url, Key(app.app_key, "0" * 24)).get_sign(1)
    assert server.run("app", "close", app.app_key).returncode == 0
    with pytest.raises(NoSmsService) as closed:
        client.get_sign(1)
    assert isinstance(closed.value, SmsignApiError)


def test_error_details_are_in_the_requested_language(
    server: Server, app: Key, connect: Callable[..., Client]
) -> None:
    with pytest.raises(InvalidSignature) as wrong:
        connect(server.url + "/v1/", app, language="zh").create_sign("短")
    assert "字符" in wrong.value.details[0].reason


def test_wait_until_decided_returns_the_decision_or_times_out(server: Server, client: Client) -> None:
    sign_id = client.create_sign("极光推送")
    with pytest.raises(DecisionTimeout, match=f"{sign_id} is still in the audit after 0.3 s") as late:
        client.wait_until_decided(sign_id, timeout_s=0.3)
    assert late.value.sign.in_audit
    assert isinstance(late.value, TimeoutError)
    auditor = threading.Timer(0.4, server.decide, (sign_id,), {"passed": True})
    auditor.start()
    assert client.wait_until_decided(sign_id, timeout_s=20).passed
    auditor.join()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_wait_until_decided_survives_a_server_restart(
    start: Callable[..., Server], connect: Callable[..., Client]
) -> None:
    server = start()
    client = connect(server.url, server.make_app(), retries=0)
    sign_id = client.create_sign("极光推送")

    def restart() -> None:
        server.kill()
        server.decide(sign_id, passed=True)
        server.start()

    restarting = threading.Timer(0.2, restart)
    restarting.start()
    assert client.wait_until_decided(sign_id, timeout_s=30).passed
    restarting.join()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sms.example.com",
        "http://",
        "ftp://x",
        "http://[::1",
        "http://x:y",
        "http://x?a=b",
        "http://x/#part",
    ],
)
def test_an_invalid_base_url_raises_value_error(connect: Callable[..., Client], url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        connect(url)


def test_negative_retries_raise_value_error(connect: Callable[..., Client]) -> None:
    with pytest.raises(ValueError, match="retries"):
        connect("http://127.0.0.1:1", retries=-1)


def test_an_unknown_field_raises_before_any_request(client: Client) -> None:
    with pytest.raises(TypeError, match="unknown field: remarks; known fields: type, remark"):
        client.create_sign("极光推送", remarks="官网")  # type: ignore[call-arg]


def test_a_refused_connection_raises_after_the_retries(connect: Callable[..., Client]) -> None:
    started = time.monotonic()
    with pytest.raises(ApiConnectionError) as none:
        connect(f"http://127.0.0.1:{free_port()}", retries=1).create_sign("极光推送")
    assert not none.value.may_have_succeeded
    assert time.monotonic() - started > 0.1
    with pytest.raises(ValueError, match="base_url"):
        connect("localhost:8080")
