"""Images changed in the store: not one byte of them is served, by the API or the console."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.images import noise
from tests.running import Server

pytestmark = [
    pytest.mark.process,
    pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True),
]


def _flip_a_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def _link_to_a_copy(file: Path) -> None:
    copy = file.with_name("copy")
    file.rename(copy)
    file.symlink_to(copy)


def _make_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _make_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


CHANGES: dict[str, Callable[[Path], object]] = {
    "another image": lambda file: file.write_bytes(noise(seed=77)),
    "an empty file": lambda file: file.write_bytes(b""),
    "a flipped bit": _flip_a_bit,
    "a symbolic link, even to the right bytes": _link_to_a_copy,
    "a folder": _make_folder,
    "a pipe": _make_pipe,
    "nothing": Path.unlink,
}


def test_a_changed_image_is_an_error_everywhere_and_is_logged(start: Callable[..., Server]) -> None:
    server = start()
    app, image = server.make_app(), noise(seed=5)
    auditor = server.make_account("li.na", "auditor")
    sha256 = hashlib.sha256(image).hexdigest()
    file = server.data / "blobs" / sha256[:2] / sha256[2:4] / sha256
    answer = httpx.post(
        f"{server.url}/v1/sign",
        auth=app.auth,
        files={"sign": (None, "极光推送"), "image0": ("a.png", image)},
    )
    sign_id = answer.json()["sign_id"]
    original = f"{server.url}/v1/signs/{sign_id}/versions/1/images/image0"
    pages = [f"/console/signatures/{sign_id}/images/1/image0{query}" for query in ("", "?size=original")]
    assert httpx.get(original, auth=app.auth).content == image
    for number, (what, change) in enumerate(CHANGES.items(), 1):
        change(file)
        response = httpx.get(original, auth=app.auth)
        assert (response.status_code, response.json()["error"]["code"]) == (500, 50019), what
        assert response.json()["error"]["details"][0]["field"] == "image0"
        with server.visitor(auditor) as visitor:
            for page in pages:
                shown = visitor.get(page)
                assert shown.status_code == 500, (what, page)
                assert "missing or damaged" in shown.text
        assert server.log.read_text().count('"image damaged"') == 3 * number, what
        if file.is_dir() and not file.is_symlink():
            shutil.rmtree(file)
        else:
            file.unlink(missing_ok=True)
        file.write_bytes(image)
    assert httpx.get(original, auth=app.auth).content == image
    assert "Traceback" not in server.log.read_text()
