"""How long to wait for a sender: many waits, one timer.

A timer for each chunk received costs as much as parsing a small form; one that looks at all waits now and
then costs nothing, and a slow sender is told so a little later than to the millisecond.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")

LOOK_S = 0.1
"""How often the waits are looked at, and so how late one may be ended."""


class BodyTimeouts:
    """Ends the waits of one event loop that last too long."""

    def __init__(self) -> None:
        self._waits: dict[asyncio.Task[object], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, coming: Awaitable[T], seconds: float) -> T:
        """Return what comes.

        Raises: TimeoutError when it takes longer than `seconds`.
        """
        task = asyncio.current_task()
        assert task is not None, "only a task can be ended"
        self._waits[task] = time.monotonic() + seconds
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)
        try:
            return await coming
        except asyncio.CancelledError:
            if task not in self._waits and task.uncancel() <= 0:
                raise TimeoutError from None
            raise
        finally:
            self._waits.pop(task, None)

    def _look(self) -> None:
        now = time.monotonic()
        for task in [task for task, until in self._waits.items() if until <= now]:
            del self._waits[task]
            task.cancel()
        waiting = bool(self._waits)
        self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look) if waiting else None
