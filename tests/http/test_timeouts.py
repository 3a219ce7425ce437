"""Timeouts of request bodies, with one timer for all of them."""

from __future__ import annotations

import asyncio
import time

import pytest

from smsign.http.timeouts import BodyTimeouts


async def test_each_wait_returns_its_value_or_times_out() -> None:
    timeouts = BodyTimeouts()

    async def sleep(seconds: float) -> float:
        return await timeouts.wait(asyncio.sleep(seconds, seconds), 0.3)

    started = time.monotonic()
    results = await asyncio.gather(*map(sleep, (0.0, 0.05, 10.0, 20.0)), return_exceptions=True)
    assert results[:2] == [0.0, 0.05]
    assert [type(result) for result in results[2:]] == [TimeoutError, TimeoutError]
    assert 0.3 <= time.monotonic() - started < 3


async def test_cancelling_the_task_is_no_timeout() -> None:
    timeouts = BodyTimeouts()
    task = asyncio.create_task(timeouts.wait(asyncio.sleep(10), 5))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelling_the_task_together_with_the_timeout_cancels_it() -> None:
    timeouts = BodyTimeouts()
    task = asyncio.create_task(timeouts.wait(asyncio.sleep(10), 0))
    await asyncio.sleep(0.01)
    timeouts._check()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_task_can_wait_again_after_a_timeout() -> None:
    timeouts = BodyTimeouts()
    with pytest.raises(TimeoutError):
        await timeouts.wait(asyncio.sleep(10), 0.01)
    assert await timeouts.wait(asyncio.sleep(0, "next"), 5) == "next"
