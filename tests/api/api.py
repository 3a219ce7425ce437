"""A client of the API; whatever it is answered is held to the document."""

from __future__ import annotations

from typing import Any

import httpx

from tests.api.document import check_response
from tests.running import Key, Server


def api(server: Server, app: Key, **headers: str) -> httpx.Client:
    """Return a client that signs in as `app`."""
    return httpx.Client(
        base_url=server.url,
        auth=app.auth,
        headers={"accept-language": "en"} | headers,
        timeout=30,
        event_hooks={"response": [check_response]},
    )


def refused(answer: httpx.Response, code: int) -> list[dict[str, str]]:
    """Assert that `answer` is the refusal `code`; return its details."""
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert error["code"] == code, answer.text
    assert error["details"]
    return list(error["details"])


def fields(answer: httpx.Response, code: int) -> list[str]:
    """Return which fields a refusal names."""
    return [detail["field"] for detail in refused(answer, code)]


def submit(client: httpx.Client, content: str = "极光推送", path: str = "/v1/sign", **more: Any) -> int:
    """Create or modify a signature; return its id."""
    answer = client.post(path, files={"sign": (None, content), **more})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["sign_id"])
