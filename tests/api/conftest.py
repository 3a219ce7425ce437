"""Servers and applications that the tests of the wire share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.running import Key, Server, free_port


@pytest.fixture
def app(server: Server) -> Key:
    """A new application."""
    return server.make_app()


@pytest.fixture(scope="module")
def reader(server: Server) -> Key:
    """An application that a module shares: for requests that are refused, or only read."""
    return server.make_app()


@pytest.fixture
def start_plain(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server on SQLite: for what no database has a part in."""
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
