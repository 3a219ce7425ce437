"""Races, crashes and floods, against real server processes, on both engines."""

from __future__ import annotations

import asyncio
import hashlib
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from smsign.storage.open import Stores
from tests.images import noise
from tests.running import Key, Server
from tests.storage.test_outbox import add_paused_callbacks

pytestmark = pytest.mark.slow

ROUNDS = 20
IMAGES = [noise(seed=seed) for seed in range(8)]


def test_exactly_one_of_200_concurrent_creates_succeeds(start: Callable[..., Server]) -> None:
    server = start(workers=4)
    app = server.make_app()

    async def flood() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=server.url, auth=app.auth, limits=limits, timeout=60) as api:
            calls = (api.post("/v1/sign", files={"sign": (None, f"签名{n:03}")}) for n in range(200))
            return await asyncio.gather(*calls)

    answers = asyncio.run(flood())
    assert sum(answer.status_code == 200 for answer in answers) == 1
    refused = [answer.json()["error"]["code"] for answer in answers if answer.status_code != 200]
    assert refused == [50103] * 199
    assert len(server.json("audit", "list", "--limit", "1000")) == 1
    assert server.json("events", "verify")["fault"] is None


def test_no_committed_submission_is_lost_after_a_kill(start: Callable[..., Server]) -> None:
    server = start(workers=2)
    dice = random.Random(7)
    answered: list[tuple[Key, int, str, bytes | None]] = []
    for _ in range(ROUNDS):
        apps = server.make_apps(150)
        server.do(lambda stores, keys=apps[::2]: add_paused_callbacks(stores, keys))
        stop = threading.Event()
        threads = [
            threading.Thread(target=_load, args=(server, apps[n::6], stop, answered)) for n in range(6)
        ]
        for thread in threads:
            thread.start()
        time.sleep(dice.uniform(0.1, 0.5))
        server.kill()
        stop.set()
        for thread in threads:
            thread.join()
        server.start()
    assert len(answered) > 100, "the load was too small to tell anything"
    with httpx.Client(base_url=server.url) as api:
        for app, sign_id, content, _ in answered:
            assert api.get(f"/v1/sign/{sign_id}", auth=app.auth).json()["sign"] == content
    server.do(lambda stores: _check_whole(stores, answered))
    assert server.json("events", "verify")["fault"] is None


def _load(
    server: Server, apps: list[Key], stop: threading.Event, answered: list[tuple[Key, int, str, bytes | None]]
) -> None:
    with httpx.Client(base_url=server.url, timeout=10) as api:
        for n, app in enumerate(apps):
            if stop.is_set():
                return
            content = f"签名{n}"
            image = IMAGES[n % len(IMAGES)] if n % 2 else None
            files: dict[str, Any] = {"sign": (None, content)}
            if image:
                files["image0"] = ("a.png", image)
            try:
                answer = api.post("/v1/sign", files=files, auth=app.auth)
            except httpx.TransportError:
                return
            assert answer.status_code == 200, answer.text
            answered.append((app, answer.json()["sign_id"], content, image))


async def _check_whole(stores: Stores, answered: list[tuple[Key, int, str, bytes | None]]) -> None:
    db = stores.db.read
    for _, sign_id, _, image in answered:
        rows = await db.all("SELECT sha256 FROM image WHERE signature_id = $1 AND version = 1", sign_id)
        reported = [hashlib.sha256(image).hexdigest()] if image else []
        assert [row[0] for row in rows] == reported
        for sha256 in reported:
            assert hashlib.sha256(await stores.blobs.get(sha256)).hexdigest() == sha256
    halves = await db.all(
        """SELECT signature.id FROM signature
        LEFT JOIN version ON version.signature_id = signature.id AND version.n = 1
        LEFT JOIN event ON event.subject = 'signature' AND event.subject_id = signature.id AND event.seq = 1
        WHERE version.n IS NULL OR event.id IS NULL"""
    )
    assert halves == []
    untold = await db.all(
        """SELECT event.id FROM event JOIN signature ON signature.id = event.subject_id
        LEFT JOIN callback ON callback.app_id = signature.app_id
        LEFT JOIN outbox ON outbox.event_id = event.id AND outbox.callback_id = callback.id
        WHERE event.subject = 'signature' AND (callback.id IS NULL) <> (outbox.event_id IS NULL)"""
    )
    assert untold == []
    outbox = await db.one("SELECT count(*) FROM outbox")
    assert outbox is not None
    assert outbox[0] > 50


def test_a_graceful_shutdown_answers_requests_in_flight(start: Callable[..., Server]) -> None:
    server = start()
    app = server.make_app()
    result: list[httpx.Response] = []

    def slowly() -> Any:
        body = (
            b'--x\r\nContent-Disposition: form-data; name="sign"\r\n\r\n'
            + "极光推送".encode()
            + b"\r\n--x--\r\n"
        )
        yield body[:40]
        time.sleep(1.5)
        yield body[40:]

    def send() -> None:
        result.append(
            httpx.post(
                f"{server.url}/v1/sign",
                auth=app.auth,
                content=slowly(),
                headers={"content-type": "multipart/form-data; boundary=x"},
                timeout=20,
            )
        )

    thread = threading.Thread(target=send)
    thread.start()
    time.sleep(0.5)
    assert server.stop() == 0
    thread.join()
    assert result[0].status_code == 200, result[0].text


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_memory_is_bounded_under_concurrent_uploads(start: Callable[..., Server], tmp_path: Path) -> None:
    server = start()
    idle = _resident_mb(server.pid)
    assert idle < 120, f"{idle:.0f} MB when idle"
    images = [noise(width=812, height=812, seed=seed) for seed in range(4)]
    assert all(1_900_000 < len(image) < 2_000_000 for image in images)
    apps = server.make_apps(64)
    peak = [0.0]
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            peak[0] = max(peak[0], _resident_mb(server.pid))
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()

    async def flood() -> list[httpx.Response]:
        async with httpx.AsyncClient(
            base_url=server.url, limits=httpx.Limits(max_connections=64), timeout=120
        ) as api:
            files = {f"image{n}": ("a.png", image) for n, image in enumerate(images)}
            calls = (
                api.post("/v1/sign", files={"sign": (None, "极光推送"), **files}, auth=app.auth)
                for app in apps
            )
            return await asyncio.gather(*calls)

    answers = asyncio.run(flood())
    done.set()
    watcher.join()
    assert {answer.status_code for answer in answers} == {200}, answers[0].text
    assert peak[0] < 350, f"{peak[0]:.0f} MB at the peak"
    print(f"idle {idle:.0f} MB, peak {peak[0]:.0f} MB")  # noqa: T201


def _resident_mb(pid: int) -> float:
    """Return the resident memory of a process and its children; pages that they share count twice."""
    total = 0.0
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
        except OSError:
            continue
        if int(fields["PPid"]) == pid or int(fields["Pid"]) == pid:
            total += int(fields.get("VmRSS", "0 kB").split()[0]) / 1024
    return total
