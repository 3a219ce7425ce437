"""Once: submit under an Idempotency-Key, within a daily limit; and forget what is old."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from smsign.domain import idempotency, quotas
from smsign.domain.idempotency import Answered
from smsign.errors import ApiError, Conflict
from smsign.storage.engine.protocol import Change, Database, Tx
from smsign.storage.rows import idempotency as rows
from smsign.storage.rows import quotas as quota_rows

_SWEPT_AT_ONCE = 1000


class IdempotentWrite(msgspec.Struct, frozen=True):
    """What surrounds a submission beyond its own rows: the key that it came under, the limit of the day."""

    app_id: int
    key: str | None
    request_hash: bytes
    limit: int
    now: int

    async def write(self, db: Database, submit: Change[int]) -> int:
        """Run `submit` in a transaction, unless it was answered under the key before; return the sign_id.

        A refusal that is met because the same submission is just being answered elsewhere is none.

        Raises: Refusal 51002, 51003, and whatever `submit` raises.
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
            raise quotas.limit_exceeded(self.limit, self.now)  # another one was counted since the look above
        if self.key is not None:
            answer = Answered(self.request_hash, sign_id)
            await rows.insert(tx, self.app_id, self.key, answer, now=self.now)
        return sign_id


async def sweep(db: Database, *, now: int) -> int:
    """Forget keys older than seven days, and the counts of days gone by; return how many keys went."""

    async def forget(tx: Tx) -> int:
        await quota_rows.delete_before(tx, quotas.day_of(now) - 1)
        return await rows.delete_before(tx, now - idempotency.KEPT_US, limit=_SWEPT_AT_ONCE)

    gone = last = await db.write(forget)
    while last == _SWEPT_AT_ONCE:
        last = await db.write(forget)
        gone += last
    return gone
