"""Workers that are killed lose no events and keep the order; their memory stays flat."""

from __future__ import annotations

import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from smsign.actions import callbacks
from smsign.config import networks
from smsign.domain.callbacks import Callback
from smsign.storage.open import Stores
from smsign.storage.rows import apps as app_rows
from smsign.worker.sender import HttpSender
from smsign.worker.ssrf import AddressGuard
from tests.running import Key, Server
from tests.worker.receiver import Receiver, accept, check_order, first_arrivals, hang
from tests.worker.test_sender import HOSTILE

pytestmark = pytest.mark.slow

ROUNDS = 6
APPS = 6
WORKERS = 3


class Worker:
    """A process of `smsign worker` on the data of a server."""

    def __init__(self, server: Server) -> None:
        self.log = server.data / f"worker-{secrets.token_hex(4)}.log"
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "smsign.cli", "worker"]
            self.process = subprocess.Popen(command, env=server.env, stdout=log, stderr=log)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def megabytes(self) -> float:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.partition("VmRSS:")[2].split()[0]) / 1024


@pytest.fixture
def receivers() -> Iterator[Callable[[], Receiver]]:
    opened: list[Receiver] = []

    def open_one() -> Receiver:
        opened.append(Receiver().open())
        return opened[-1]

    yield open_one
    for each in opened:
        each.end()


def add_callback(server: Server, key: Key, url: str) -> Callback:
    async def work(stores: Stores) -> Callback:
        app = await app_rows.get(stores.db.read, key.app_key)
        sender = HttpSender(AddressGuard(networks("callback_networks", "127.0.0.0/8")), timeout_s=5)
        return await callbacks.register(
            stores.db,
            stores.vault,
            sender,
            app=app,
            url=url,
            format="standard",
            actor="test:owner",
            now=time.time_ns() // 1000,
        )

    found: Callback = server.do(work)
    return found


def resume(server: Server, key: Key, callback: Callback) -> None:
    async def work(stores: Stores) -> None:
        app = await app_rows.get(stores.db.read, key.app_key)
        await callbacks.resume(
            stores.db, app=app, callback_id=callback.id, actor="test:owner", now=time.time_ns() // 1000
        )

    server.do(work)


def count(server: Server, table: str) -> int:
    async def work(stores: Stores) -> int:
        row = await stores.db.read.one(f"SELECT count(*) FROM {table}")
        assert row is not None
        return int(row[0])

    return int(server.do(work))


def submit_and_delete(server: Server, key: Key, stop: threading.Event) -> None:
    """Create two events per signature until `stop` is set."""
    with httpx.Client(base_url=server.url, auth=key.auth, timeout=90) as api:
        while not stop.is_set():
            sign_id = api.post("/v1/sign", files={"sign": (None, "极光推送")}).json()["sign_id"]
            assert api.delete(f"/v1/sign/{sign_id}").status_code == 200
            time.sleep(0.02)


def test_killed_workers_lose_no_events_and_keep_the_order(
    start: Callable[..., Server], receivers: Callable[[], Receiver]
) -> None:
    server = start(callback_networks="127.0.0.0/8", callback_timeout=1, deliver=0)
    keys = server.make_apps(APPS)
    good, late = receivers(), receivers()
    late.close()
    added = [(key, add_callback(server, key, each.url)) for key in keys for each in (good, late)]
    stop, dice = threading.Event(), random.Random(11)
    threads = [threading.Thread(target=submit_and_delete, args=(server, key, stop)) for key in keys]
    for thread in threads:
        thread.start()
    workers = [Worker(server) for _ in range(WORKERS)]
    for _ in range(ROUNDS):
        time.sleep(dice.uniform(0.5, 1.0))
        n = dice.randrange(WORKERS)
        workers[n].kill()
        workers[n] = Worker(server)
    stop.set()
    for thread in threads:
        thread.join()
    late.open()
    for key, callback in added:
        resume(server, key, callback)
    deadline = time.monotonic() + 60
    while (left := count(server, "outbox")) and time.monotonic() < deadline:
        workers[0].kill()
        workers = [*workers[1:], Worker(server)]
        time.sleep(2.0)
    assert [worker.stop() for worker in workers] == [0] * WORKERS
    assert left == 0, f"{left} events are not delivered"
    made = count(server, "event WHERE subject = 'signature'")
    assert made > 100, "the load was too small"
    for receiver in (good, late):
        check_order(receiver.requests)
        assert len(first_arrivals(receiver.requests)) == made
    print(f"{made} events to 2 callbacks each, {len(good.requests) + len(late.requests)} posts")  # noqa: T201


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_memory_stays_flat_with_hostile_receivers(
    start: Callable[..., Server], receivers: Callable[[], Receiver]
) -> None:
    server = start(callback_networks="127.0.0.0/8", callback_timeout=1, deliver=0)
    bad = []
    keys = server.make_apps(len(HOSTILE))
    for key, (behave, _) in zip(keys, HOSTILE.values(), strict=True):
        receiver = receivers()
        receiver.behave = behave
        bad.append((key, receiver, add_callback(server, key, receiver.url)))
    (quick,) = server.make_apps(1)
    good = receivers()
    add_callback(server, quick, good.url)
    worker = Worker(server)
    with httpx.Client(base_url=server.url, timeout=30) as api:
        _make_events(api, quick, 1)
        good.wait_for(lambda got: len(got) >= 2)
        before = worker.megabytes()
        peak = before
        for key in keys:
            _make_events(api, key, 3)
        for _ in range(20):
            _make_events(api, quick, 1)
            time.sleep(0.1)
            peak = max(peak, worker.megabytes())
    good.wait_for(lambda got: len(got) >= 42)
    for key, receiver, callback in bad:
        receiver.behave = accept
        resume(server, key, callback)
    deadline = time.monotonic() + 30
    while count(server, "outbox") and time.monotonic() < deadline:
        time.sleep(0.2)
        peak = max(peak, worker.megabytes())
    for _, receiver, _ in bad:
        check_order(receiver.requests)
        assert len(first_arrivals(receiver.requests)) == 6
    assert worker.stop() == 0
    assert peak - before < 30, f"{before:.0f} MB before, {peak:.0f} MB at the peak"
    print(f"{before:.0f} MB before, {peak:.0f} MB at the peak")  # noqa: T201


def _make_events(api: httpx.Client, key: Key, signatures: int) -> None:
    for _ in range(signatures):
        files: Any = {"sign": (None, "极光推送")}
        sign_id = api.post("/v1/sign", files=files, auth=key.auth).json()["sign_id"]
        api.delete(f"/v1/sign/{sign_id}", auth=key.auth)


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_stop_is_not_delayed_by_a_hanging_receiver(
    start: Callable[..., Server], receivers: Callable[[], Receiver]
) -> None:
    server = start(callback_networks="127.0.0.0/8", callback_timeout=60, stop_timeout=1)
    receiver = receivers()
    receiver.behave = hang
    (key,) = server.make_apps(1)
    add_callback(server, key, receiver.url)
    with httpx.Client(base_url=server.url, timeout=30) as api:
        _make_events(api, key, 1)
    receiver.wait_for(lambda got: len(got) == 1)
    started = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - started < 3.5, "it was killed instead of stopping"
    assert count(server, "outbox") == 2
