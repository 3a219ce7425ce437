"""What another process does between a look and the write: the same submission, the last one of the day."""

from __future__ import annotations

import pytest

from smsign.domain.idempotency import Answered
from smsign.domain.signatures import Rules
from smsign.errors import ApiError
from smsign.storage.engine.protocol import Reader
from smsign.storage.open import Stores
from smsign.storage.rows import idempotency, quotas
from smsign.storage.rows import signatures as rows
from tests.steps import decide, make_app, submit


async def test_concurrent_requests_with_the_same_key_get_the_same_response(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await make_app(stores)
    sign_id = await submit(stores, app, key="one")
    find, looks = idempotency.find, 0

    async def miss_first(db: Reader, app_id: int, key: str) -> Answered | None:
        nonlocal looks
        looks += 1
        return None if looks == 1 else await find(db, app_id, key)

    monkeypatch.setattr(idempotency, "find", miss_first)
    assert await submit(stores, app, key="one") == sign_id  # met by the one in the audit
    await decide(stores, sign_id, passed=True)
    looks = 0
    assert await submit(stores, app, key="one") == sign_id  # met by the key
    assert await rows.find_in_audit(stores.db.read, app.id) is None
    with pytest.raises(ApiError, match="51002"):
        await submit(stores, app, sign_id, key="one")


async def test_concurrent_submissions_do_not_exceed_the_daily_limit(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, rules = await make_app(stores), Rules(submissions_a_day=1)
    await decide(stores, await submit(stores, app, rules=rules), passed=True)

    async def nothing_yet(*_: object) -> int:
        return 0

    monkeypatch.setattr(quotas, "get", nothing_yet)
    with pytest.raises(ApiError, match="51003"):
        await submit(stores, app, rules=rules)
    assert await rows.find_in_audit(stores.db.read, app.id) is None
