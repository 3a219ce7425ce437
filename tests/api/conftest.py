"""Servers and applications that the tests of the API share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api import raw
from tests.running import Key, Server, free_port


@pytest.fixture
def app(server: Server) -> Key:
    """A new application."""
    return server.make_app()


@pytest.fixture
def refused(server: Server, app: Key) -> int:
    """The id of a refused signature of `app`."""
    sign_id = raw.create(server, app).sign_id
    server.decide(sign_id, passed=False)
    return sign_id


@pytest.fixture(scope="module")
def reader(server: Server) -> Key:
    """An application that a module shares, for requests that store nothing."""
    return server.make_app()


@pytest.fixture
def start_plain(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server on SQLite, for tests that do not depend on the database."""
    started: list[Server] = []

    def start_one(**given: Any) -> Server:
        folder = tmp_path / f"plain{len(started)}"
        folder.mkdir()
        started.append(Server(folder, port=free_port(), **given))
        started[-1].start()
        return started[-1]

    yield start_one
    for server in started:
        server.stop()
