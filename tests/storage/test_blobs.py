"""Blob stores: content-addressed, swept when nothing names a blob; in a folder and in S3."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from smsign.actions import blobs as actions
from smsign.errors import DamagedImage, NotFound, SetupError, StorageError
from smsign.storage.blobs.store import Blobs
from smsign.storage.blobs.upload import sweep_spool
from smsign.storage.open import Stores, open_blobs
from tests.images import noise
from tests.running import Server

OLD_S = 48 * 3600
_LATER_SCAN = b"\xff\xda\0\x08\1\1\0\1"


async def _put(blobs: Blobs, data: bytes) -> str:
    sha256 = hashlib.sha256(data).hexdigest()
    file = blobs.spool / "upload"
    file.write_bytes(data)
    await blobs.put(sha256, file)
    assert not file.exists()
    return sha256


async def _names(blobs: Blobs, before_s: float) -> list[str]:
    return [name async for name in blobs.list_before(before_s)]


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.process)])
def blobs(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Blobs:
    if request.param == "folder":
        return open_blobs(f"file:{tmp_path / 'blobs'}", data=tmp_path)
    for name, value in request.getfixturevalue("s3").items():
        monkeypatch.setenv(name, value)
    return open_blobs(f"s3://evidence/{tmp_path.name}", data=tmp_path)


async def test_a_stored_blob_is_read_back_by_its_hash(blobs: Blobs) -> None:
    await blobs.check()
    sha256 = await _put(blobs, b"one")
    assert await _put(blobs, b"one") == sha256
    assert await blobs.get(sha256) == b"one"
    with pytest.raises(NotFound):
        await blobs.get("0" * 64)
    now = time.time()
    assert await _names(blobs, now + 60) == [sha256]
    assert await _names(blobs, now - 60) == []
    assert not await blobs.delete(sha256, before_s=now - 60), "it is young"
    assert await blobs.delete(sha256, before_s=now + 60)
    assert not await blobs.delete(sha256, before_s=now + 60)
    with pytest.raises(NotFound):
        await blobs.get(sha256)


async def test_a_blob_is_synced_before_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs, steps = open_blobs(f"file:{tmp_path / 'b'}", data=tmp_path), []
    sync, rename = os.fsync, Path.rename

    def note_sync(descriptor: int) -> None:
        steps.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        sync(descriptor)

    def note_rename(file: Path, target: Path) -> Path:
        steps.append(target)
        return rename(file, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "rename", note_rename)
    sha256 = await _put(blobs, b"synced")
    home = tmp_path / "b" / sha256[:2] / sha256[2:4]
    assert steps[0] == blobs.spool / "upload"
    assert {home.parent, home.parent.parent} <= set(steps[1:-2]), "its folders are new"
    assert steps[-2:] == [home / sha256, home]


def _age(root: Path) -> None:
    then = time.time() - OLD_S
    for file in root.rglob("*"):
        if file.is_file():
            os.utime(file, (then, then))


async def test_a_sweep_removes_only_old_blobs_that_no_row_names(stores: Stores, settings: object) -> None:
    orphan, named, again = [await _put(stores.blobs, data) for data in (b"orphan", b"named", b"again")]
    (stores.blobs.spool / "left-by-a-crash").write_bytes(b"x")
    _age(stores.blobs.spool.parent)
    young = await _put(stores.blobs, b"young")
    assert await _put(stores.blobs, b"again") == again  # an upload that is under way names it soon

    async def name(tx: object) -> None:
        for sql in (
            "INSERT INTO app (name, app_key, secret_mac, secret_sealed, sms_open, use_by_hand, created_at)"
            " VALUES ('a', 'k', '', '', 1, 0, 1)",
            "INSERT INTO signature (app_id, content, status, version, created_at, submitted_at)"
            " SELECT id, 'x', 0, 1, 1, 1 FROM app",
            "INSERT INTO version (signature_id, n, app_id, content, fields, actor, submitted_at)"
            " SELECT id, 1, app_id, 'x', '{}', 'a', 1 FROM signature",
        ):
            await tx.run(sql.replace("''", "$1"), *([b"x"] if "''" in sql else []))  # type: ignore[attr-defined]
        await tx.run(  # type: ignore[attr-defined]
            "INSERT INTO image (signature_id, version, slot, app_id, sha256, type, size_bytes, width, height)"
            " SELECT id, 1, 'image0', app_id, $1, 'png', 1, 1, 1 FROM signature",
            named,
        )

    await stores.db.write(name)
    assert await actions.sweep(stores.db, stores.blobs, now_s=time.time()) == 1
    for kept in (named, again, young):
        assert await stores.blobs.get(kept)
    with pytest.raises(NotFound):
        await stores.blobs.get(orphan)
    assert list(stores.blobs.spool.iterdir()) == []


async def test_bytes_that_are_not_those_of_the_hash_are_not_returned(blobs: Blobs) -> None:
    sha256, file = hashlib.sha256(b"evidence").hexdigest(), blobs.spool / "other"
    file.write_bytes(b"forgery")
    await blobs.put(sha256, file)
    with pytest.raises(DamagedImage, match=sha256):
        await blobs.get(sha256)


async def test_a_sweep_removes_the_spool_files_of_killed_uploads(blobs: Blobs) -> None:
    left, under_way = blobs.spool / "left", blobs.spool / "under-way"
    left.write_bytes(b"x")
    under_way.write_bytes(b"x")
    os.utime(left, (time.time() - OLD_S,) * 2)
    await asyncio.to_thread(sweep_spool, blobs.spool, before_s=time.time() - OLD_S / 2)
    assert list(blobs.spool.iterdir()) == [under_way]


async def test_a_sweep_ignores_blobs_that_vanish_after_listing(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uploads end and other processes sweep meanwhile."""
    orphan = await _put(stores.blobs, b"orphan")
    _age(stores.blobs.spool.parent)
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter([*listed(folder), folder / ("0" * 64)]))
    assert await actions.sweep(stores.db, stores.blobs, now_s=time.time()) == 1
    with pytest.raises(NotFound):
        await stores.blobs.get(orphan)


async def test_a_blob_uploaded_again_is_not_removed_by_an_older_mark(tmp_path: Path) -> None:
    """Its row may not be committed yet, so that only its age protects it."""
    blobs = open_blobs(f"file:{tmp_path / 'b'}", data=tmp_path)
    sha256 = await _put(blobs, b"again")
    path = tmp_path / "b" / sha256[:2] / sha256[2:4] / sha256
    path.rename(path.with_suffix(".swept"))
    _age(tmp_path)
    assert await _put(blobs, b"again") == sha256
    assert await _names(blobs, time.time() - OLD_S / 2) == []
    assert [file.name for file in path.parent.iterdir()] == [sha256]


async def test_a_killed_sweep_is_resumed(tmp_path: Path) -> None:
    blobs = open_blobs(f"file:{tmp_path / 'b'}", data=tmp_path)
    sha256 = await _put(blobs, b"half")
    path = tmp_path / "b" / sha256[:2] / sha256[2:4] / sha256
    path.rename(path.with_suffix(".swept"))
    assert await _names(blobs, time.time() + 60) == [sha256]
    assert await blobs.get(sha256) == b"half"


def test_an_invalid_blob_store_url_is_an_error_with_examples(tmp_path: Path) -> None:
    for url in ("ftp://x", "s3://", "file:"):
        with pytest.raises(SetupError, match="s3://BUCKET/PREFIX"):
            open_blobs(url, data=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        open_blobs(f"file:{tmp_path / 'file'}", data=tmp_path)


async def test_a_missing_bucket_is_a_readable_error(
    s3: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StorageError, match="bucket does not exist") as reported:
        await open_blobs("s3://none-such/x", data=tmp_path).check()
    assert "Debug" not in str(reported.value)


async def test_a_blob_store_that_does_not_respond_times_out(
    s3: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        callback = {"AWS_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        for name, value in (s3 | callback).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("smsign.storage.blobs.s3.REQUEST_TIMEOUT", timedelta(seconds=0.2))
        async with asyncio.timeout(10):
            with pytest.raises(StorageError, match="does not respond"):
                await open_blobs("s3://evidence/x", data=tmp_path).check()


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_a_signature_is_submitted_with_images_in_s3(start: Callable[..., Server], s3: dict[str, str]) -> None:
    import httpx

    server = start(blobs="s3://evidence/whole", **s3)
    upload = noise(seed=99)
    answer = httpx.post(
        f"{server.url}/v1/sign",
        auth=server.make_app().auth,
        files={"sign": (None, "极光推送"), "image0": ("a.png", upload)},
    )
    assert answer.status_code == 200, answer.text
    [image] = server.json("audit", "show", str(answer.json()["sign_id"]))["versions"][0]["images"]
    assert image["sha256"] == hashlib.sha256(upload).hexdigest()
    assert httpx.get(f"{server.url}/readyz").json()["blobs"] == "ok"
