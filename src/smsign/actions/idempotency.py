"""Submit once per Idempotency-Key and within the daily limit; remove expired keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from smsign.domain import idempotency, quotas
from smsign.domain.idempotency import Answered
from smsign.errors import ApiError, Conflict
from smsign.storage.engine.protocol import Change, Database, Tx
from smsign.storage.rows import idempotency as rows
from smsign.storage.rows import quotas as quota_rows

_SWEEP_ROWS = 1000


class IdempotentWrite(msgspec.Struct, frozen=True):
    """A submission with its Idempotency-Key, if any, and the daily limit; `limit` 0 is none."""

    app_id: int
    key: str | None
    request_hash: bytes
    limit: int
    now: int

    async def write(self, db: Database, submit: Change[int]) -> int:
        """Run `submit` in a transaction, or return the sign_id of the earlier response for the key.

        An error caused by a concurrent request with the same key is replaced by that request's response.

        Raises: ApiError 51002, 51003, and what `submit` raises.
        """
        try:
            return await db.write(lambda tx: self._change(tx, submit))
        except (ApiError, Conflict):
            if self.key is None or (answered := await rows.find(db.read, self.app_id, self.key)) is None:
                raise
            return idempotency.check_same(answered, self.request_hash)

    async def _change(self, tx: Tx, submit: Callable[[Tx], Awaitable[int]]) -> int:
        if self.key is not None and (answered := await rows.find(tx, self.app_id, self.key)) is not None:
            return idempotency.check_same(answered, self.request_hash)
        day = quotas.day_of(self.now)
        if self.limit and await quota_rows.get(tx, self.app_id, day) >= self.limit:
            raise quotas.limit_exceeded(self.limit, self.now)
        sign_id = await submit(tx)
        if self.limit and not await quota_rows.add(tx, self.app_id, day, at_most=self.limit):
            raise quotas.limit_exceeded(self.limit, self.now)  # lost a race
        if self.key is not None:
            answered = Answered(self.request_hash, sign_id)
            await rows.insert(tx, self.app_id, self.key, answered, now=self.now)
        return sign_id


async def sweep(db: Database, *, now: int) -> int:
    """Remove expired keys and the counts of past days; return the number of keys removed."""

    async def change(tx: Tx) -> int:
        await quota_rows.delete_before(tx, quotas.day_of(now) - 1)
        return await rows.delete_before(tx, now - idempotency.KEPT_US, limit=_SWEEP_ROWS)

    removed = last = await db.write(change)
    while last == _SWEEP_ROWS:
        last = await db.write(change)
        removed += last
    return removed
