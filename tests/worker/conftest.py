from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from smsign.config import Settings
from tests.worker.receiver import Receiver
from tests.worker.scene import Scene, open_scene


@pytest.fixture
async def scene(settings: Settings) -> AsyncIterator[Scene]:
    async for opened in open_scene(settings):
        yield opened


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    opened = Receiver().open()
    yield opened
    opened.end()
