"""The operators' commands while the server runs, as text and as JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from smsign.storage.engine.migrate import migrations
from tests.running import Server, free_port

pytestmark = [
    pytest.mark.process,
    pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True),
]


def _create(server: Server, app: dict[str, str], content: str = "极光推送") -> int:
    response = httpx.post(
        f"{server.url}/v1/sign", auth=(app["app_key"], app["master_secret"]), files={"sign": (None, content)}
    )
    return int(response.json()["sign_id"])


def test_an_application_is_created_rotated_closed_and_opened(server: Server) -> None:
    made = server.json("app", "create", "shop")
    assert len(made["app_key"]) == len(made["master_secret"]) == 24
    assert "master_secret" not in server.json("app", "show", "shop")
    assert server.json("app", "show", "shop", "--secret")["master_secret"] == made["master_secret"]
    rotated = server.json("app", "rotate", "shop")["master_secret"]
    assert rotated != made["master_secret"]
    assert server.json("app", "close", made["app_key"])["sms_open"] is False
    auth = (made["app_key"], rotated)
    assert httpx.get(f"{server.url}/v1/sign/1", auth=auth).json()["error"]["code"] == 50008
    assert server.json("app", "open", "shop")["sms_open"] is True
    assert httpx.get(f"{server.url}/v1/sign/1", auth=auth).json()["error"]["code"] == 50102
    assert "shop" in [app["name"] for app in server.json("app", "list")]
    assert "shop" in server.run("app", "list").stdout


def test_a_daily_limit_is_set_and_removed(server: Server) -> None:
    server.json("app", "create", "limited")
    assert server.json("app", "limit", "limited", "30")["submissions_a_day"] == 30
    assert "30" in server.run("app", "show", "limited").stdout
    assert server.json("app", "limit", "limited", "0")["submissions_a_day"] == 0
    assert server.run("app", "limit", "limited", "-1").returncode == 2


def test_a_duplicate_name_is_an_error_of_one_line(server: Server) -> None:
    server.json("app", "create", "twice")
    done = server.run("app", "create", "twice")
    assert done.returncode == 1
    assert done.stderr.startswith("smsign: name: ")
    assert done.stderr.count("\n") == 1


def test_signatures_in_the_audit_are_listed_and_decided(server: Server) -> None:
    app = server.json("app", "create", "queue")
    sign_id = _create(server, app)
    assert sign_id in [waiting["sign_id"] for waiting in server.json("audit", "list")]
    assert "极光推送" in server.run("audit", "list").stdout
    refused = server.json(
        "audit",
        "refuse",
        str(sign_id),
        "--reason",
        "unreadable",
        "--reason",
        "name_mismatch",
        "--note",
        "模糊",
    )
    assert refused["status"] == 2
    [version] = refused["versions"]
    assert version["decision"]["reasons"] == ["name_mismatch", "unreadable"]
    assert version["decision"]["note"] == "模糊"
    assert [event["kind"] for event in refused["events"]] == ["signature.submitted", "signature.refused"]
    shown = server.run("audit", "show", str(sign_id)).stdout
    assert "refused: name_mismatch, unreadable" in shown
    again = server.run("audit", "pass", str(sign_id))
    assert again.returncode == 1
    assert "not in the audit" in again.stderr


def test_a_refusal_requires_a_known_reason(server: Server) -> None:
    sign_id = str(_create(server, server.json("app", "create", "reasons")))
    assert server.run("audit", "refuse", sign_id).returncode == 1
    assert server.run("audit", "refuse", sign_id, "--reason", "mood").returncode == 1
    assert server.json("audit", "show", sign_id)["status"] == 0


def test_use_by_hand_puts_no_passed_signature_in_use(server: Server) -> None:
    app = server.json("app", "create", "by-hand", "--use-by-hand")
    sign_id = _create(server, app)
    assert server.json("audit", "pass", str(sign_id))["status"] == 1
    assert server.json("app", "show", "by-hand")["in_use_id"] is None
    assert server.json("app", "use", "by-hand", str(sign_id))["in_use_id"] == sign_id
    assert server.run("app", "use", "by-hand", "999999").returncode == 1
    assert server.json("app", "use", "by-hand", "none")["in_use_id"] is None


def test_events_verify_checks_the_ledger(server: Server) -> None:
    verdict = server.json("events", "verify")
    assert verdict["fault"] is None
    assert verdict["events"] > 0
    assert "verified" in server.run("events", "verify").stdout


def test_unknown_names_and_ids_are_errors(server: Server) -> None:
    for arguments in (
        ("app", "show", "none-such"),
        ("audit", "show", "2000000000"),
        ("audit", "pass", "2000000000"),
    ):
        done = server.run(*arguments)
        assert done.returncode == 1
        assert done.stderr.startswith("smsign: ")
    assert server.run("audit", "show", "-1").returncode == 2
    assert server.run("none-such").returncode == 2


def test_migrate_and_sweep_report_their_results(server: Server) -> None:
    assert server.json("migrate") == {"schema": max(migrations())}
    assert server.json("sweep") == {"removed": 0, "idempotency_keys": 0}


def test_demo_data_is_not_loaded_into_a_database_with_other_data(server: Server, tmp_path: Path) -> None:
    server.json("app", "create", "own")
    done = server.run("serve", "--demo", "--port", str(free_port()))
    assert done.returncode == 1
    assert "applications" in done.stderr


def test_demo_data_is_kept_at_the_second_start(start: Callable[..., Server]) -> None:
    server = start(demo=True)
    auth = ("7d431e42dfa6a6d693ac2d04", "5e987ac6d2e04d95a9d8f0d1")
    assert httpx.get(f"{server.url}/v1/sign/37582", auth=auth).json()["sign"] == "极光推送"
    httpx.delete(f"{server.url}/v1/sign/37582", auth=auth)
    server.stop()
    server.start()
    assert httpx.get(f"{server.url}/v1/sign/37582", auth=auth).json()["error"]["code"] == 50102
