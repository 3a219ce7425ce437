"""The shortest way through: create, refuse, modify, pass, query, delete."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from tests.images import noise
from tests.running import Server


def test_create_refuse_modify_pass_query_and_delete(start: Callable[..., Server]) -> None:
    server = start()
    app = server.make_app()
    with httpx.Client(base_url=server.url, auth=app.auth) as api:
        created = api.post("/v1/sign", files={"sign": (None, "极光推送"), "image0": ("a.png", noise())})
        assert created.status_code == 200, created.text
        sign_id = created.json()["sign_id"]
        assert api.get(f"/v1/sign/{sign_id}").json()["status"] == 0

        server.decide(sign_id, passed=False, note="第二页缺失")
        refused = api.get(f"/v1/sign/{sign_id}", headers={"accept-language": "zh"}).json()
        assert refused["status"] == 2
        assert "第二页缺失" in refused["refuse_reason"]

        assert api.put(f"/v1/sign/{sign_id}", files={"sign": (None, "修改的签名")}).json() == {
            "sign_id": sign_id
        }
        server.decide(sign_id, passed=True)
        passed = api.get(f"/v1/sign/{sign_id}").json()
        assert passed == {
            "sign_id": sign_id,
            "sign": "修改的签名",
            "status": 1,
            "use_status": 1,
            "is_default": 1,
        }

        assert api.delete(f"/v1/sign/{sign_id}").json()["error"]["code"] == 50105
        assert server.run("app", "use", app.app_key, "none").returncode == 0
        deleted = api.delete(f"/v1/sign/{sign_id}")
        assert (deleted.status_code, deleted.content) == (200, b"")
        assert deleted.headers["content-type"] == "application/json"
        assert deleted.headers["content-length"] == "0"
        assert api.get(f"/v1/sign/{sign_id}").json()["error"]["code"] == 50102
    assert server.run("events", "verify").returncode == 0
