"""Test applications: the audit decides itself, once, and never at somebody's desk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from smsign.actions import apps, audits, ledger, sandbox, signatures
from smsign.domain import sandbox as contents
from smsign.domain.apps import App
from smsign.domain.audits import REASONS
from smsign.domain.events import Subject
from smsign.domain.signatures import Rules
from smsign.errors import InvalidInput
from smsign.storage.open import Stores
from smsign.storage.rows import apps as app_rows
from smsign.storage.rows import audits as decisions
from smsign.storage.rows import desk, statistics
from smsign.storage.rows import events as event_rows
from smsign.storage.rows import signatures as rows
from tests.running import Server

pytestmark = pytest.mark.process

SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND


async def _app(stores: Stores, *, delay_ms: int | None, by_hand: bool = False) -> App:
    keys = apps.make_keys()
    return await apps.create(
        stores.db,
        stores.vault,
        name=keys.app_key[:8],
        keys=keys,
        use_by_hand=by_hand,
        test_delay_ms=delay_ms,
        actor="test:builder",
        now=NOW,
    )


async def _submit(
    stores: Stores, app: App, content: str, *, signature_id: int | None = None, now: int = NOW
) -> int:
    return await signatures.submit(
        stores.db,
        stores.blobs,
        Rules(),
        app=app,
        signature_id=signature_id,
        fields={"sign": content},
        uploads=(),
        actor="app:test",
        now=now,
    )


async def _status(stores: Stores, app: App, signature_id: int) -> int:
    found = await rows.find(stores.db.read, app.id, signature_id)
    assert found is not None
    return found.status


def test_every_coded_reason_has_a_valid_sandbox_content() -> None:
    assert list(contents.REFUSALS.values()) == list(REASONS)
    assert all(2 <= len(content) <= 8 for content in (*contents.REFUSALS, contents.PASSES, contents.PENDING))


@pytest.mark.parametrize("content", [contents.PASSES, contents.PENDING, "极光推送", *contents.REFUSALS])
async def test_the_content_determines_the_decision_in_the_transaction_of_the_submission(
    stores: Stores, content: str
) -> None:
    app = await _app(stores, delay_ms=0)
    signature_id = await _submit(stores, app, content)
    decision = await decisions.find(stores.db.read, app.id, signature_id, 1)
    reported = [
        (each.kind, each.actor)
        for each in await event_rows.list_(stores.db.read, Subject.SIGNATURE, signature_id)
    ]
    if content == contents.PENDING:
        assert (decision, await _status(stores, app, signature_id)) == (None, 0)
        assert len(reported) == 1
        return
    assert decision is not None
    assert (decision.actor, decision.decided_at) == ("system:test", NOW)
    reason = contents.REFUSALS.get(content)
    assert decision.reasons == ((reason,) if reason else ())
    assert decision.fields == ((REASONS[reason].field,) if reason else ())
    assert reported[1:] == [("signature.refused" if reason else "signature.passed", "system:test")]
    assert (await app_rows.get(stores.db.read, app.name)).in_use_id == (None if reason else signature_id)
    assert (await ledger.verify(stores.db)).fault is None


async def test_a_resubmitted_signature_is_decided_again(stores: Stores) -> None:
    app = await _app(stores, delay_ms=0, by_hand=True)
    signature_id = await _submit(stores, app, "测试模糊")
    assert await _status(stores, app, signature_id) == 2
    await _submit(stores, app, "测试通过", signature_id=signature_id)
    assert await _status(stores, app, signature_id) == 1
    assert (await app_rows.get(stores.db.read, app.name)).in_use_id is None


async def test_concurrent_processes_decide_once_after_the_delay(stores: Stores) -> None:
    late = [await _app(stores, delay_ms=2000) for _ in range(5)]
    ids = [await _submit(stores, app, "测试格式") for app in late]
    waiting = await _submit(stores, await _app(stores, delay_ms=0), contents.PENDING)
    ordinary = await _submit(stores, await _app(stores, delay_ms=None), "测试格式")

    due = await sandbox.decide_due(stores.db, now=NOW + 2 * SECOND - 1)
    assert due == NOW + 2 * SECOND
    assert [await _status(stores, app, each) for app, each in zip(late, ids, strict=True)] == [0] * 5

    await asyncio.gather(*(sandbox.decide_due(stores.db, now=NOW + 2 * SECOND) for _ in range(8)))
    for app, each in zip(late, ids, strict=True):
        kinds = [event.kind for event in await event_rows.list_(stores.db.read, Subject.SIGNATURE, each)]
        assert kinds == ["signature.submitted", "signature.refused"]
        assert await _status(stores, app, each) == 2
    for each in (waiting, ordinary):
        found = await rows.find_any(stores.db.read, each)
        assert found is not None
        assert found.status == 0
    assert await sandbox.decide_due(stores.db, now=NOW + 9 * SECOND) is None


async def test_a_signature_that_was_deleted_or_decided_meanwhile_is_not_decided(stores: Stores) -> None:
    app, other = await _app(stores, delay_ms=1000), await _app(stores, delay_ms=1000)
    gone, passed = await _submit(stores, app, "测试格式"), await _submit(stores, other, "测试格式")
    await signatures.delete(stores.db, app=app, signature_id=gone, actor="app:test", now=NOW)
    await audits.decide(stores.db, signature_id=passed, passed=True, actor="test:auditor", now=NOW)
    await sandbox.decide_due(stores.db, now=NOW + 5 * SECOND)
    assert await _status(stores, other, passed) == 1
    assert await decisions.find(stores.db.read, app.id, gone, 1) is None


async def test_several_pages_of_due_signatures_are_decided(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "PAGE", 3)
    late = [await _app(stores, delay_ms=1) for _ in range(8)]
    ids = [await _submit(stores, app, "测试通过") for app in late]
    assert await sandbox.decide_due(stores.db, now=NOW + SECOND) is None
    assert [await _status(stores, app, each) for app, each in zip(late, ids, strict=True)] == [1] * 8


async def test_a_reopened_signature_is_decided_again(stores: Stores) -> None:
    app = await _app(stores, delay_ms=0)
    signature_id = await _submit(stores, app, "测试模糊")
    await audits.reopen(stores.db, signature_id=signature_id, reason="again", actor="test:admin", now=NOW)
    assert await _status(stores, app, signature_id) == 0
    await sandbox.decide_due(stores.db, now=NOW + 1)
    assert await _status(stores, app, signature_id) == 2


async def test_only_pending_sandbox_signatures_are_in_the_queue_and_they_are_marked(stores: Stores) -> None:
    app, other = await _app(stores, delay_ms=60_000), await _app(stores, delay_ms=0)
    ordinary = await _app(stores, delay_ms=None)
    await _submit(stores, app, "测试通过")
    assert await desk.find_next(stores.db.read, actor="test:auditor", now=NOW) is None
    assert await statistics.find_oldest(stores.db.read) is None
    pending = await _submit(stores, other, contents.PENDING, now=NOW + 1)
    real = await _submit(stores, ordinary, "测试通过", now=NOW + 2)
    waiting = await desk.list_waiting(stores.db.scan, now=NOW)
    assert [(each.id, each.is_test) for each in waiting] == [(pending, 1), (real, 0)]
    assert await desk.find_next(stores.db.read, actor="test:auditor", now=NOW) == pending
    assert [each.id for each in await rows.list_in_audit(stores.db.scan)] == [pending, real]
    assert await rows.count_in_audit(stores.db.scan) == 2
    await sandbox.decide_due(stores.db, now=NOW + 100 * SECOND)
    assert await statistics.list_auditors(stores.db.scan, 0) == []
    assert (await statistics.get_waits(stores.db.scan, 0)).decided == 0


async def test_a_delay_out_of_bounds_is_an_error(stores: Stores) -> None:
    for delay_ms in (-1, 86_400_001):
        with pytest.raises(InvalidInput, match="delay_ms"):
            await _app(stores, delay_ms=delay_ms)


def test_the_command_line_creates_and_shows_test_applications(server: Server) -> None:
    name = f"t{time.time_ns()}"
    made = server.json("app", "create", name, "--test", "--delay-ms", "250")
    assert (made["test"], made["test_delay_ms"]) == (True, 250)
    assert "test, after 250 ms" in server.run("app", "show", name).stdout
    assert "test, after 250 ms" in server.run("app", "list").stdout
    wrong = server.run("app", "create", "other", "--delay-ms", "5")
    assert wrong.returncode == 2
    assert "--delay-ms requires --test" in wrong.stderr


def test_the_console_creates_and_marks_test_applications(start: Callable[..., Server]) -> None:
    server = start()
    name = f"t{time.time_ns()}"
    token = server.make_account(f"o{time.time_ns()}", "owner", "auditor")
    with server.visitor(token) as browser:
        made = browser.post("/console/apps", data={"name": name, "test": "1", "delay_ms": "40"})
        page = browser.get(made.headers["location"]).text
        assert '<span class="tag test">test · 40 ms</span>' in page
        assert "refused: Image unreadable" in page
        assert '<span class="tag test">' in browser.get("/console/apps").text
        app_id = made.headers["location"].split("?")[0].rsplit("/", 1)[1]
        sent = browser.post(f"/console/apps/{app_id}/submit", files={"sign": (None, contents.PENDING)})
        assert sent.status_code == 303, sent.text
        assert '<span class="tag test">test</span>' in browser.get("/console/desk").text


@pytest.mark.slow
def test_a_decision_is_made_once_after_a_crash(start: Callable[..., Server]) -> None:
    server = start(workers=2)
    made = [server.json("app", "create", f"late{n}", "--test", "--delay-ms", "700") for n in range(4)]
    ids: list[int] = []
    for app in made:
        with httpx.Client(base_url=server.url, auth=(app["app_key"], app["master_secret"])) as api:
            ids.append(api.post("/v1/sign", files={"sign": (None, "测试授权")}).json()["sign_id"])
    server.kill()
    time.sleep(0.8)
    server.start()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and len(_decided(server, ids)) < 4:
        time.sleep(0.05)
    assert _decided(server, ids) == {each: ["signature.submitted", "signature.refused"] for each in ids}
    assert server.run("events", "verify").returncode == 0


def _decided(server: Server, ids: list[int]) -> dict[int, list[str]]:
    async def work(stores: Any) -> dict[int, list[str]]:
        found = {}
        for each in ids:
            kinds = [event.kind for event in await event_rows.list_(stores.db.read, Subject.SIGNATURE, each)]
            if len(kinds) > 1:
                found[each] = kinds
        return found

    return dict(server.do(work))
