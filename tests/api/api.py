"""A client of the API that checks each response against the OpenAPI document."""

from __future__ import annotations

from typing import Any

import httpx

from tests.api.document import check_response
from tests.running import Key, Server


def api(server: Server, app: Key, **headers: str) -> httpx.Client:
    """Return a client that authenticates as `app`."""
    return httpx.Client(
        base_url=server.url,
        auth=app.auth,
        headers={"accept-language": "en"} | headers,
        timeout=30,
        event_hooks={"response": [check_response]},
    )


def expect_error(response: httpx.Response, code: int) -> list[dict[str, str]]:
    """Assert that `response` is the error `code`; return its details."""
    assert response.headers["content-type"] == "application/json"
    error = response.json()["error"]
    assert error["code"] == code, response.text
    assert error["details"]
    return list(error["details"])


def fields(response: httpx.Response, code: int) -> list[str]:
    """Return the fields that an error names."""
    return [detail["field"] for detail in expect_error(response, code)]


def submit(client: httpx.Client, content: str = "极光推送", path: str = "/v1/sign", **more: Any) -> int:
    """Create or modify a signature; return its id."""
    response = client.post(path, files={"sign": (None, content), **more})
    assert response.status_code == 200, response.text
    return int(response.json()["sign_id"])
