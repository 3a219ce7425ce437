"""A copy equals its source row by row, also after interruptions."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from smsign import config
from smsign.actions.transfer.blobs import list_hashes
from smsign.errors import SetupError
from smsign.storage.engine.bulk import META
from smsign.storage.engine.migrate import migrations, put_meta
from smsign.storage.open import open_blobs, open_source, open_stores, open_target
from smsign.storage.vault import open_vault
from tests.bulk import all_rows, fill
from tests.images import noise
from tests.running import Server

pytestmark = pytest.mark.process

SIGNATURES = int(os.environ.get("COPY_SIGNATURES", "20000"))
"""For the test of interruptions; manually also with 200000."""

Make = Callable[[Path], str]


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "smsign.cli", *arguments]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_command(*arguments), capture_output=True, text=True, check=False)


def _copy(source: str, target: str, *more: str) -> Any:
    done = _run("copy", "--from", source, "--to", target, "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _error_of(source: str, target: str, *more: str) -> str:
    done = _run("copy", "--from", source, "--to", target, *more)
    assert done.returncode == 1, done.stdout
    assert done.stderr.count("\n") == 1
    return done.stderr


def _filled(folder: Path, signatures: int, images: tuple[str, ...] = ()) -> str:
    folder.mkdir()
    assert _run("migrate", "--data", str(folder)).returncode == 0
    vault = open_vault("", folder / "secret.key")
    fill(folder / "smsign.db", signatures=signatures, vault=vault, images=images)
    return f"sqlite:{folder / 'smsign.db'}"


async def _has_rows(url: str, table: str) -> bool:
    """Return whether a copy into `url` has reached `table`."""
    try:
        if url.startswith("sqlite:"):
            db = sqlite3.connect(url.removeprefix("sqlite:"), timeout=1)
            try:
                return bool(db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchall())
            finally:
                db.close()
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(f"SELECT 1 FROM {table} LIMIT 1") is not None
        finally:
            await connection.close()
    except (asyncpg.UndefinedTableError, sqlite3.OperationalError):
        return False


async def _kill_at(table: str, source: str, target: str) -> None:
    """Start a copy, and kill it when it has reached `table`."""
    process = subprocess.Popen(_command("copy", "--from", source, "--to", target), stderr=subprocess.PIPE)
    try:
        while not await _has_rows(target, table):
            assert process.poll() is None, process.stderr
            await asyncio.sleep(0.002)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -9, f"it was over before it could be killed at {table}"


@pytest.mark.slow
async def test_a_copy_killed_twice_is_resumed_and_equal_row_by_row(
    make_database_url: Make, tmp_path: Path
) -> None:
    source = _filled(tmp_path / "data", SIGNATURES, ("ab" * 32, "cd" * 32))
    target = await asyncio.to_thread(make_database_url, tmp_path)
    for table in ("version", "event"):
        await _kill_at(table, source, target)
    started = time.monotonic()
    copied = await asyncio.to_thread(_copy, source, target)
    print(f"{copied['rows']:,} rows, the last of three runs {time.monotonic() - started:.1f} s")  # noqa: T201
    assert copied["resumed"]
    theirs = await all_rows(target)
    ours = await all_rows(source)
    assert copied["chains"] == len(ours["chain"]) > SIGNATURES
    assert theirs.keys() == ours.keys()
    for table, rows in ours.items():
        assert theirs[table] == rows, table
        assert table == META or copied["tables"][table] == len(rows)

    if SIGNATURES <= 20_000 and not target.startswith("sqlite:"):  # and back again
        back = f"sqlite:{tmp_path / 'back.db'}"
        await _kill_at("image", target, back)
        await _kill_at("decision", target, back)
        assert (await asyncio.to_thread(_copy, target, back))["resumed"]
        assert await all_rows(back) == ours


async def test_ids_continue_after_a_copy(make_database_url: Make, tmp_path: Path) -> None:
    source = _filled(tmp_path / "data", 40)
    target = await asyncio.to_thread(make_database_url, tmp_path)
    await asyncio.to_thread(_copy, source, target)
    db = sqlite3.connect(tmp_path / "data" / "smsign.db")
    last = dict(db.execute("SELECT name, seq FROM sqlite_sequence"))
    db.close()
    assert last["app"] == 1002
    back = f"sqlite:{tmp_path / 'back.db'}"
    await asyncio.to_thread(_copy, target, back)
    for url in (target, back):
        bulk = await open_target(url)
        assert await bulk.sequences() == last
        await bulk.close()
    settings = config.load({"data": str(tmp_path / "data"), "database": target}, {})
    stores = await open_stores(settings)
    row = await stores.db.write(
        lambda tx: tx.one(
            """INSERT INTO app (name, app_key, secret_mac, secret_sealed, sms_open, use_by_hand, created_at)
            VALUES ('new', 'new', $1, $1, 1, 0, 1) RETURNING id""",
            b"x",
        )
    )
    await stores.close()
    assert row is not None
    assert row[0] == 1003


async def test_the_tables_of_a_copy_are_those_of_the_schema(make_database_url: Make, tmp_path: Path) -> None:
    texts = "".join(migrations().values())
    written = set(re.findall(r"^CREATE TABLE (\w+)", texts, re.MULTILINE))
    written -= set(re.findall(r"^DROP TABLE (\w+)", texts, re.MULTILINE)) - {
        name for name in written if texts.rfind(f"CREATE TABLE {name} ") > texts.rfind(f"DROP TABLE {name}")
    }
    found = []
    for url in (f"sqlite:{tmp_path / 'plain.db'}", await asyncio.to_thread(make_database_url, tmp_path)):
        stores = await open_stores(config.load({"data": str(tmp_path), "database": url}, {}))
        await stores.close()
        bulk = await open_source(url)
        found.append({table.name: table for table in await bulk.tables()})
        order = list(found[-1])
        await bulk.close()
        for table in found[-1].values():
            assert table.key, f"{table.name} has no primary key, so a copy could not be resumed"
            assert all(order.index(parent) <= order.index(table.name) for parent in table.parents)
    assert found[0].keys() == written | {META}
    assert found[0] == found[1]


async def test_an_unsuitable_source_or_target_is_an_error(make_database_url: Make, tmp_path: Path) -> None:
    source = _filled(tmp_path / "data", 40)
    full = await asyncio.to_thread(make_database_url, tmp_path / "data")
    if not full.startswith("sqlite:"):
        await asyncio.to_thread(_copy, source, full)
    assert "it is not empty" in await asyncio.to_thread(_error_of, source, full)
    assert "does not exist" in await asyncio.to_thread(_error_of, f"sqlite:{tmp_path / 'none.db'}", full)

    db = sqlite3.connect(tmp_path / "other.db")
    db.execute("CREATE TABLE other (id INTEGER)")
    db.close()
    other = f"sqlite:{tmp_path / 'other.db'}"
    assert "not smsign's" in await asyncio.to_thread(_error_of, source, other)
    assert "not a database of smsign" in await asyncio.to_thread(_error_of, other, full)

    empty = f"sqlite:{tmp_path / 'empty.db'}"
    stores = await open_stores(config.load({"data": str(tmp_path), "database": empty}, {}))
    await stores.db.write(lambda tx: put_meta(tx, "schema", "1"))
    await stores.close()
    assert "its schema is 1" in await asyncio.to_thread(_error_of, source, empty)
    assert "the source's is 1;" in await asyncio.to_thread(_error_of, empty, full)
    assert (await asyncio.to_thread(_run, "copy", "--from", source)).returncode == 2
    only_one = ("copy", "--from", source, "--to", empty, "--blobs-to", "file:x")
    assert (await asyncio.to_thread(_run, *only_one)).returncode == 2


@pytest.mark.slow
async def test_an_unfinished_copy_is_not_served_nor_resumed_from_a_changed_source(
    make_database_url: Make, tmp_path: Path
) -> None:
    source = _filled(tmp_path / "data", 6000)
    target = await asyncio.to_thread(make_database_url, tmp_path)
    await _kill_at("version", source, target)
    with pytest.raises(SetupError, match="is not finished"):
        await open_stores(config.load({"data": str(tmp_path / "data"), "database": target}, {}))
    db = sqlite3.connect(tmp_path / "data" / "smsign.db")
    with db:
        db.execute("UPDATE signature SET content = '改' WHERE id = 17")
    db.close()
    message = await asyncio.to_thread(_error_of, source, target)
    assert "signature 17 differs" in message
    assert "--restart" in message
    assert not (await asyncio.to_thread(_copy, source, target, "--restart"))["resumed"]
    assert await all_rows(target) == await all_rows(source)


@pytest.mark.slow
def test_a_copy_of_a_running_server_is_a_snapshot(
    start: Callable[..., Server], make_database_url: Make, tmp_path: Path
) -> None:
    server = start()
    apps = server.make_apps(300)
    source = server.env["SMSIGN_DATABASE"]
    target = f"sqlite:{tmp_path / 'snapshot.db'}"
    import httpx

    with httpx.Client(base_url=server.url) as api:
        copying = subprocess.Popen(
            _command("copy", "--from", source, "--to", target, "--json"), stdout=subprocess.PIPE, text=True
        )
        for app in apps:
            files = {"sign": (None, "极光推送")}
            assert api.post("/v1/sign", auth=app.auth, files=files).status_code == 200
            if copying.poll() is not None:
                break
        result = json.loads(copying.communicate()[0])
    assert copying.returncode == 0
    held = asyncio.run(all_rows(target))
    events, signatures = len(held["event"]), len(held["signature"])
    assert events == signatures + len(apps)
    assert result["tables"]["signature"] == signatures
    assert result["written_meanwhile"] >= 0
    verdict = json.loads(
        subprocess.run(
            _command("events", "verify", "--json", "--data", str(server.data), "--database", target),
            capture_output=True,
            check=True,
        ).stdout
    )
    assert verdict["fault"] is None
    assert verdict["events"] == events


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_images_are_copied_from_a_folder_to_s3_and_a_lost_one_is_named(
    start: Callable[..., Server], s3: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx

    server = start()
    images = [noise(seed=seed) for seed in range(6)]
    for app, image in zip(server.make_apps(6), images, strict=True):
        files: dict[str, Any] = {"sign": (None, "极光推送"), "image0": ("a.png", image)}
        assert httpx.post(f"{server.url}/v1/sign", auth=app.auth, files=files).status_code == 200
    names = sorted(hashlib.sha256(image).hexdigest() for image in images)
    blobs = server.data / "blobs"
    (blobs / names[3][:2] / names[3][2:4] / names[3]).unlink()
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    command = _command(
        *("copy", "--from", server.env["SMSIGN_DATABASE"], "--to", f"sqlite:{tmp_path / 'moved.db'}"),
        *("--blobs-from", f"file:{blobs}", "--blobs-to", "s3://evidence/moved", "--json"),
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["images"]["lost"] == [names[3]]
    store = open_blobs("s3://evidence/moved", data=tmp_path)
    kept = asyncio.run(list_hashes(store))
    assert sorted(sha256.hex() for sha256 in kept) == names[:3] + names[4:]
    command[command.index("--to") + 1] = f"sqlite:{tmp_path / 'again.db'}"
    result = json.loads(subprocess.run(command, capture_output=True, check=False).stdout)["images"]
    assert (result["images"], result["new"]) == (6, 0)
