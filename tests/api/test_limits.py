"""How many submissions an application may make in a day: its own limit, or the setting's."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import pytest

from smsign.actions import idempotency
from smsign.domain import quotas
from smsign.storage.engine.protocol import Tx
from smsign.storage.open import Stores
from smsign.storage.rows import quotas as quota_rows
from tests.api import raw
from tests.api.raw import part
from tests.api.test_codes import check_error
from tests.api.test_idempotency import submit
from tests.running import Key, Server

pytestmark = pytest.mark.process


def limit(server: Server, app: Key, at_most: int) -> None:
    server.json("app", "limit", app.app_key, str(at_most))


def test_a_submission_over_the_daily_limit_is_51003_until_midnight(server: Server, app: Key) -> None:
    limit(server, app, 3)
    sign_id = submit(server, app, "k").sign_id
    server.decide(sign_id, passed=False)
    assert raw.modify(server, app, sign_id).status == 200
    assert raw.create(server, app).code == 50103, "an error is not counted"
    assert raw.create(server, app, part("sign", "【】")).code == 50104
    server.decide(sign_id, passed=True)
    assert submit(server, app, "k").sign_id == sign_id, "nor is a repeated request"
    last = raw.create(server, app).sign_id
    server.decide(last, passed=True)
    with raw.nothing_changes(server):
        response = raw.create(server, app)
    assert response.status == 429
    check_error(response, 51003, "too many submissions")
    left_s = 86_400 - time.time() % 86_400
    assert abs(int(response.headers["retry-after"]) - left_s) < 60
    assert submit(server, app, "k").sign_id == sign_id, "a repeated request is not limited"
    limit(server, app, 4)
    assert raw.create(server, app).status == 200


def test_the_setting_is_the_default_limit_of_applications(
    start: Callable[..., Server],
) -> None:
    server = start(submissions_a_day=1)
    ordinary, favoured = server.make_apps(2)
    limit(server, favoured, 2)
    for app, at_most in ((ordinary, 1), (favoured, 2)):
        for _ in range(at_most):
            server.decide(raw.create(server, app).sign_id, passed=True)
        assert raw.create(server, app).code == 51003


def test_submissions_are_not_counted_without_a_limit(server: Server, app: Key) -> None:
    before = raw.rows(server, "SELECT count(*) FROM submissions")
    assert raw.create(server, app).status == 200
    assert raw.rows(server, "SELECT count(*) FROM submissions") == before


def test_a_day_ends_at_midnight_utc() -> None:
    midnight = 20_000 * quotas.DAY_US
    assert quotas.day_of(midnight - 1) == 19_999
    assert quotas.day_of(midnight) == 20_000
    assert quotas.limit_exceeded(1, midnight - 1).retry_after_s == 1
    assert quotas.limit_exceeded(1, midnight).retry_after_s == 86_400


def test_deleting_a_signature_does_not_reduce_the_count(server: Server, app: Key) -> None:
    limit(server, app, 5)
    passed = 0
    with httpx.Client(base_url=server.url, auth=app.auth) as api:
        for n in range(8):
            response = api.post("/v1/sign", files={"sign": (None, f"签名{n}")})
            if response.status_code == 200:
                passed += 1
                api.delete(f"/v1/sign/{response.json()['sign_id']}")
    assert passed == 5


async def test_the_counts_of_past_days_are_deleted(stores: Stores) -> None:
    async def fill(tx: Tx) -> None:
        for day in range(4):
            await quota_rows.add(tx, 1, day, at_most=9)

    await stores.db.write(fill)
    await idempotency.sweep(stores.db, now=3 * quotas.DAY_US)
    assert [await quota_rows.get(stores.db.read, 1, day) for day in range(4)] == [0, 0, 1, 1]
