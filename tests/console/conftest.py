"""What tests of the console share: a user name for each test, and a way to submit a signature."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import httpx
import pytest

from tests.images import noise
from tests.running import Key, Server

Submit = Callable[..., int]


@pytest.fixture
def name() -> str:
    return f"u{secrets.token_hex(4)}"


@pytest.fixture
def submit(server: Server) -> Submit:
    """Return a function that submits a signature, by default of a new application, and returns its id."""

    def submit(content: str = "极光推送", key: Key | None = None) -> int:
        key = key or server.make_app()
        response = httpx.post(
            f"{server.url}/v1/sign", auth=key.auth, data={"sign": content}, files={"image0": noise()}
        )
        return int(response.json()["sign_id"])

    return submit
