"""Health check, readiness and metrics."""

from __future__ import annotations

import asyncio
import errno
import math
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from smsign.api import operations
from smsign.errors import StorageError
from smsign.storage.blobs.folder import FolderBlobs
from tests.api import raw
from tests.api.raw import SIGN, part
from tests.images import noise
from tests.running import Key, Server

pytestmark = pytest.mark.process


UNKNOWN_ID = 'smsign_request_seconds_count{code="50102",method="GET",route="/v1/sign/{id}",status="403"}'
"""Queries of ids that the application does not have."""


def metrics(server: Server) -> dict[str, float]:
    """Return the samples of /metrics by name and labels."""
    lines = raw.get(server, "/metrics").body.decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


def test_healthz_is_200_while_the_process_is_alive(server: Server) -> None:
    response = raw.get(server, "/healthz")
    assert (response.status, response.json()["status"]) == (200, "ok")
    assert response.headers["cache-control"] == "no-store"


def test_readyz_checks_the_database_and_the_blob_store(server: Server) -> None:
    response = raw.get(server, "/readyz")
    assert (response.status, response.json()) == (200, {"database": "ok", "blobs": "ok", "server": "ok"})


@pytest.mark.parametrize("spoiled", ["blobs", "blobs/incoming"])
def test_readyz_is_503_while_images_cannot_be_stored(start: Callable[..., Server], spoiled: str) -> None:
    server = start()
    app = server.make_app()
    folder = server.data / spoiled
    aside = folder.with_name("aside")
    folder.rename(aside)
    folder.write_bytes(b"a file in the folder's place")
    response = raw.get(server, "/readyz")
    assert (response.status, response.json()) == (503, {"database": "ok", "blobs": "failed", "server": "ok"})
    assert raw.get(server, "/healthz").status == 200
    assert raw.create(server, app, part("sign", SIGN), part("image0", noise())).code == 50019
    assert '"part":"blobs"' in server.log.read_text()

    folder.unlink()
    aside.rename(folder)
    assert raw.get(server, "/readyz").status == 200
    assert raw.create(server, app, part("sign", SIGN), part("image0", noise())).status == 200


def test_readyz_is_503_while_the_database_does_not_respond(start: Callable[..., Server]) -> None:
    server = start()

    async def rename(stores: object, old: str, new: str) -> None:
        async def change(tx: object) -> None:
            await tx.run(f"ALTER TABLE {old} RENAME TO {new}")  # type: ignore[attr-defined]

        await stores.db.write(change)  # type: ignore[attr-defined]

    server.do(lambda stores: rename(stores, "meta", "gone"))
    response = raw.get(server, "/readyz")
    assert (response.status, response.json()["database"]) == (503, "failed")
    assert raw.get(server, "/healthz").status == 200


async def test_readiness_times_out_even_if_the_check_cannot_be_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hang() -> None:  # as asyncpg does if the server does not respond
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)

    monkeypatch.setattr(operations, "TIMEOUT_S", 0.05)
    async with asyncio.timeout(5):
        with pytest.raises(StorageError, match="timed out"):
            await operations._with_timeout(hang())


async def test_the_check_of_a_full_disk_leaves_no_file_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = FolderBlobs(tmp_path)

    def fill(file: Path, data: bytes) -> None:
        file.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(StorageError, match="No space left"):
        await blobs.check()
    assert not list(blobs.spool.iterdir())


def test_request_metrics_are_served_while_the_database_fails(
    start: Callable[..., Server],
) -> None:
    server = start()
    server.do(lambda stores: stores.db.write(lambda tx: tx.run("ALTER TABLE outbox RENAME TO aside")))
    raw.get(server, "/healthz")
    samples = metrics(server)
    assert math.isnan(samples["smsign_outbox_events"])
    assert math.isnan(samples["smsign_outbox_oldest_seconds"])
    assert any(name.startswith("smsign_request_seconds_count") and "/healthz" in name for name in samples)
    assert '"event":"metrics incomplete"' in server.log.read_text()


def test_metrics_count_requests(server: Server, reader: Key) -> None:
    before = metrics(server)
    for sign_id in range(2**31 - 5, 2**31):
        assert raw.query(server, reader, sign_id).code == 50102
    after = metrics(server)
    assert after[UNKNOWN_ID] - before.get(UNKNOWN_ID, 0) == 5


def test_metrics_have_the_number_of_signatures_in_the_audit(server: Server, app: Key) -> None:
    before = metrics(server)["smsign_signatures_in_audit"]
    sign_id = raw.create(server, app).sign_id
    assert metrics(server)["smsign_signatures_in_audit"] == before + 1
    server.decide(sign_id, passed=True)
    assert metrics(server)["smsign_signatures_in_audit"] == before


def test_unknown_methods_and_paths_add_no_labels_to_the_metrics(server: Server) -> None:
    """Or else a client could fill the memory of the server and of Prometheus."""

    def request_unknown_paths_and_methods() -> None:
        word = secrets.token_hex(4)
        raw.get(server, f"/{word}")
        raw.get(server, f"/v1/sign/{word}")
        raw.send(server, raw.request(f"X{word}", "/v1/sign"))
        raw.send(server, raw.request(f"X{word}", f"/{word}"))

    request_unknown_paths_and_methods()
    raw.get(server, "/metrics")
    before = set(metrics(server))
    for _ in range(5):
        request_unknown_paths_and_methods()
    assert set(metrics(server)) - before == set()
