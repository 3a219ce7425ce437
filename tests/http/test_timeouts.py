"""One timer for many waits."""

from __future__ import annotations

import asyncio
import time

import pytest

from smsign.http.timeouts import BodyTimeouts


async def test_what_comes_in_time_is_returned_and_what_does_not_is_ended() -> None:
    timeouts = BodyTimeouts()

    async def come(seconds: float) -> float:
        return await timeouts.wait(asyncio.sleep(seconds, seconds), 0.3)

    started = time.monotonic()
    answers = await asyncio.gather(*map(come, (0.0, 0.05, 10.0, 20.0)), return_exceptions=True)
    assert answers[:2] == [0.0, 0.05]
    assert [type(answer) for answer in answers[2:]] == [TimeoutError, TimeoutError]
    assert 0.3 <= time.monotonic() - started < 3


async def test_a_task_that_is_cancelled_meanwhile_stays_cancelled() -> None:
    timeouts = BodyTimeouts()
    task = asyncio.create_task(timeouts.wait(asyncio.sleep(10), 5))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_that_is_cancelled_as_its_patience_ends_stays_cancelled() -> None:
    timeouts = BodyTimeouts()
    task = asyncio.create_task(timeouts.wait(asyncio.sleep(10), 0))
    await asyncio.sleep(0.01)
    timeouts._look()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_goes_on_after_a_wait_that_was_ended() -> None:
    timeouts = BodyTimeouts()
    with pytest.raises(TimeoutError):
        await timeouts.wait(asyncio.sleep(10), 0.01)
    assert await timeouts.wait(asyncio.sleep(0, "next"), 5) == "next"
