"""Backups of a running server, restored on either engine; damaged and interrupted ones."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.bulk import all_rows, fill
from tests.images import noise
from tests.running import Server, run_apart

pytestmark = pytest.mark.process

Make = Callable[[Path], str]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "smsign.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _restore(source: Path, data: Path, database: str) -> subprocess.CompletedProcess[str]:
    return _run("restore", str(source), "--data", str(data), "--database", database, "--json")


def _submit(api: httpx.Client, auth: tuple[str, str], image: bytes) -> int:
    files: dict[str, Any] = {"sign": (None, "极光推送"), "image0": ("a.png", image)}
    response = api.post("/v1/sign", auth=auth, files=files)
    assert response.status_code == 200, response.text
    return int(response.json()["sign_id"])


@pytest.mark.slow
def test_a_backup_under_load_is_restored_on_either_engine(
    start: Callable[..., Server], make_database_url: Make, tmp_path: Path
) -> None:
    server = start()
    apps = server.make_apps(50)
    images = [noise(seed=seed) for seed in range(50)]
    answered: list[int] = []

    def load() -> None:
        with httpx.Client(base_url=server.url, timeout=30) as api:
            for app, image in zip(apps, images, strict=True):
                answered.append(_submit(api, app.auth, image))

    loading = threading.Thread(target=load)
    loading.start()
    while len(answered) < 20:
        time.sleep(0.01)
    backup = tmp_path / "backup"
    before = list(answered)
    assert server.json("backup", str(backup))["manifest"]["lost"] == []
    loading.join()
    one = json.loads((backup / "manifest.json").read_text())
    made = server.json("backup", str(backup))
    assert made["manifest"]["picture_count"] == 50
    assert made["new_images"] == 50 - one["picture_count"]
    assert len(list(backup.glob("*.db"))) == 1
    assert backup.stat().st_mode & 0o777 == 0o700
    assert (backup / "secret.key").stat().st_mode & 0o777 == 0o600
    assert server.json("backup", str(tmp_path / "backup.tar"))["new_images"] == 50
    assert sorted(answered)[: len(before)] == before

    data = run_apart(lambda: all_rows(server.env["SMSIGN_DATABASE"]))
    for number, (source, url) in enumerate(
        [
            (backup, f"sqlite:{tmp_path / 'one.db'}"),
            (tmp_path / "backup.tar", make_database_url(tmp_path / "two")),
        ]
    ):
        folder = tmp_path / f"restored{number}"
        done = _restore(source, folder, url)
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert result["verdict"]["fault"] is None
        assert result["images"]["new"] == 50
        assert run_apart(partial(all_rows, url)) == data
        again = start(data=folder, database=url)
        first = httpx.get(f"{again.url}/v1/sign/{answered[0]}", auth=apps[0].auth)
        assert first.json()["sign"] == "极光推送"
        version = again.json("audit", "show", str(answered[49]))["versions"][0]
        assert version["images"][0]["sha256"] == hashlib.sha256(images[49]).hexdigest()
        assert "target: it is not empty" in _restore(source, folder, url).stderr


def _made(tmp_path: Path, url: str) -> Path:
    """Return a backup of some thousand rows in `url`, with three images."""
    data = tmp_path / "data"
    data.mkdir()
    where = ("--data", str(data), "--database", url)
    assert _run("migrate", "--data", str(data)).returncode == 0
    from smsign.storage.vault import open_vault

    names = []
    for seed in range(3):
        image = noise(seed=seed)
        names.append(hashlib.sha256(image).hexdigest())
        path = data / "blobs" / names[-1][:2] / names[-1][2:4] / names[-1]
        path.parent.mkdir(parents=True)
        path.write_bytes(image)
    fill(data / "smsign.db", signatures=3000, vault=open_vault("", data / "secret.key"), images=tuple(names))
    if not url.startswith("sqlite:"):
        assert _run("copy", "--from", f"sqlite:{data / 'smsign.db'}", "--to", url).returncode == 0
    done = _run("backup", str(tmp_path / "backup"), *where, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["manifest"]["picture_count"] == 3
    return tmp_path / "backup"


def test_a_damaged_backup_is_rejected_and_a_lost_image_is_named(
    make_database_url: Make, tmp_path: Path
) -> None:
    backup = _made(tmp_path, make_database_url(tmp_path / "data"))
    database = next(backup.glob("*.db"))
    whole = database.read_bytes()
    url = f"sqlite:{tmp_path / 'new.db'}"

    database.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert "is damaged" in _restore(backup, tmp_path / "new", url).stderr
    database.unlink()
    assert f"{database.name} is missing" in _restore(backup, tmp_path / "new", url).stderr
    database.write_bytes(whole)
    manifest = json.loads((backup / "manifest.json").read_text())
    (backup / "manifest.json").write_text(json.dumps(manifest | {"chains": "0" * 64}))
    assert "does not match its manifest" in _restore(backup, tmp_path / "new", url).stderr
    (backup / "manifest.json").write_text(json.dumps(manifest | {"format": 2}))
    assert "newer smsign" in _restore(backup, tmp_path / "new", url).stderr
    (backup / "manifest.json").unlink()
    assert "not a complete backup" in _restore(backup, tmp_path / "new", url).stderr
    (backup / "manifest.json").write_text(json.dumps(manifest))
    assert not (tmp_path / "new.db").exists(), "nothing was started"

    image = next(path for path in (backup / "blobs").rglob("*") if path.is_file())
    image.write_bytes(b"other")
    done = _restore(backup, tmp_path / "new", url)
    assert done.returncode == 1
    assert f"lost image {image.name}" in done.stderr
    assert json.loads(done.stdout)["verdict"]["fault"] is None, "everything else is restored"


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_a_backup_without_the_key_requires_that_key(make_database_url: Make, tmp_path: Path) -> None:
    backup = _made(tmp_path, make_database_url(tmp_path / "data"))
    where = ("--data", str(tmp_path / "data"))
    assert _run("backup", str(backup), *where, "--without-key").returncode == 0
    assert not (backup / "secret.key").exists()
    url = f"sqlite:{tmp_path / 'new.db'}"
    assert "does not contain it" in _restore(backup, tmp_path / "new", url).stderr
    (tmp_path / "new" / "secret.key").write_text("ab" * 32)
    assert "not the backup's" in _restore(backup, tmp_path / "new", url).stderr
    shutil.copy(tmp_path / "data" / "secret.key", tmp_path / "new" / "secret.key")
    assert _restore(backup, tmp_path / "new", url).returncode == 0


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_a_backup_overwrites_nothing_else(make_database_url: Make, tmp_path: Path) -> None:
    backup = _made(tmp_path, make_database_url(tmp_path / "data"))
    where = ("--data", str(tmp_path / "data"))
    for place in (tmp_path / "data", tmp_path):
        assert "contains something else" in _run("backup", str(place), *where).stderr
    tar = tmp_path / "backup.tar"
    assert _run("backup", str(tar), *where).returncode == 0
    assert tar.stat().st_mode & 0o777 == 0o600
    with tarfile.open(tar) as parts:
        assert parts.getnames()[-1] == "manifest.json"
    assert "exists already" in _run("backup", str(tar), *where).stderr
    for name in ("backup.tar.gz", "backup.tgz", "backup.zip"):
        assert "uncompressed .tar file" in _run("backup", str(tmp_path / name), *where).stderr
        assert not (tmp_path / name).exists()
    (tmp_path / "data" / "secret.key").write_text("cd" * 32)
    assert "belongs to another key" in _run("backup", str(backup), *where).stderr
    assert (
        "does not exist"
        in _run("backup", str(backup), "--data", str(tmp_path / "none"), "--without-key").stderr
    )


@pytest.mark.slow
def test_a_killed_backup_leaves_the_previous_one_intact(make_database_url: Make, tmp_path: Path) -> None:
    url = make_database_url(tmp_path / "data")
    backup = _made(tmp_path, url)
    manifest = (backup / "manifest.json").read_bytes()
    command = [sys.executable, "-m", "smsign.cli", "backup", str(backup), "--data", str(tmp_path / "data")]
    process = subprocess.Popen([*command, "--database", url])
    while len(list(backup.glob("*.db"))) < 2:
        assert process.poll() is None
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert (backup / "manifest.json").read_bytes() == manifest
    new = f"sqlite:{tmp_path / 'new.db'}"
    assert _restore(backup, tmp_path / "new", new).returncode == 0
    assert run_apart(lambda: all_rows(new)) == run_apart(lambda: all_rows(url))
    assert _run(*command[3:], "--database", url).returncode == 0
    assert len(list(backup.glob("*.db*"))) == 1


@pytest.mark.slow
def test_a_killed_restore_is_resumed(make_database_url: Make, tmp_path: Path) -> None:
    url = make_database_url(tmp_path / "data")
    backup = _made(tmp_path, url)
    new = f"sqlite:{tmp_path / 'new.db'}"
    command = [sys.executable, "-m", "smsign.cli", "restore", str(backup), "--data", str(tmp_path / "new")]
    process = subprocess.Popen([*command, "--database", new])
    while not (tmp_path / "new.db-wal").exists() or os.stat(tmp_path / "new.db-wal").st_size < 500_000:
        assert process.poll() is None
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert "is not finished" in _run("migrate", "--data", str(tmp_path / "new"), "--database", new).stderr
    done = _restore(backup, tmp_path / "new", new)
    assert done.returncode == 0, done.stderr
    assert run_apart(lambda: all_rows(new)) == run_apart(lambda: all_rows(url))
