"""`smsign sign …` and `smsign export` on a running server: output and exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tests.cli.conftest import Shell
from tests.client.conftest import FakeService, response
from tests.images import noise
from tests.running import Server, free_port

pytestmark = [
    pytest.mark.process,
    pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True),
]


def test_a_signature_is_submitted_refused_resubmitted_and_passed(
    server: Server, shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "licence.png").write_bytes(noise())
    options = ("-i", "licence.png", "-i", "idCardImage=licence.png", "-f", "remark=官网")
    sign_id = shell.json("sign", "submit", "极光推送", *options)["sign_id"]
    waiting = shell.run("sign", "wait", str(sign_id), "--timeout", "0.2")
    assert (waiting.returncode, "still in the audit after 0.2 s" in waiting.stderr) == (3, True)
    server.decide(sign_id, passed=False, note="第二页缺失")
    refused = shell.run("sign", "wait", str(sign_id))
    assert (refused.returncode, "第二页缺失" in refused.stdout) == (1, True)
    assert shell.run("sign", "resubmit", str(sign_id), "修改的签名").returncode == 0
    server.decide(sign_id, passed=True)
    passed = shell.json("sign", "wait", str(sign_id))
    assert (passed["sign"], passed["status"], passed["use_status"]) == ("修改的签名", 1, 1)
    assert "修改的签名" in shell.run("sign", "get", str(sign_id)).stdout
    in_use = shell.run("sign", "delete", str(sign_id))
    assert in_use.returncode == 1
    assert in_use.stderr.startswith("smsign: 50105 the signature in use")


def test_submit_wait_returns_the_decision(test_shell: Callable[..., Shell]) -> None:
    shell = test_shell()
    assert shell.json("sign", "submit", "测试通过", "--wait")["status"] == 1
    refused = shell.json("sign", "submit", "测试模糊", "--wait", code=1)
    assert (refused["status"], bool(refused["refuse_reason"])) == (2, True)


def test_an_api_error_prints_all_details_and_exits_with_1(shell: Shell) -> None:
    done = shell.run("sign", "submit", "【坏】", "--field", f"remark={'长' * 101}")
    assert done.returncode == 1
    assert done.stderr.startswith("smsign: 50007 invalid body (request ")
    assert "  sign: not allowed: 【 U+3010; 】 U+3011; use " in done.stderr
    assert "  remark: 101 characters" in done.stderr
    error = shell.json("sign", "submit", "短", code=1)["error"]
    assert (error["code"], error["details"][0]["field"]) == (50104, "sign")
    shell.env["LANG"] = "zh_CN.UTF-8"
    assert "个字符" in shell.run("sign", "submit", "短").stderr


def test_wrong_usage_exits_with_2_and_a_connection_error_with_1(shell: Shell) -> None:
    for wrong in (
        ("sign", "get", "0"),
        ("sign", "submit"),
        ("sign", "submit", "极光推送", "-i", "none.png"),
        ("sign", "submit", "极光推送", "-f", "colour=red"),
    ):
        assert shell.run(*wrong).returncode == 2, wrong
    shell.env["SMSIGN_URL"] = f"http://127.0.0.1:{free_port()}"
    failed = shell.run("sign", "get", "1")
    assert (failed.returncode, "ConnectError" in failed.stderr) == (1, True)
    del shell.env["SMSIGN_URL"]
    unknown = shell.run("sign", "get", "1")
    assert (unknown.returncode, "SMSIGN_URL not set" in unknown.stderr) == (2, True)
    assert "Traceback" not in failed.stderr + unknown.stderr


def test_a_submission_with_an_idempotency_key_is_made_once(shell: Shell) -> None:
    first = shell.json("sign", "submit", "极光推送", "--idempotency-key", "build-1")
    assert shell.json("sign", "submit", "极光推送", "--idempotency-key", "build-1") == first
    other = shell.json("sign", "submit", "另外的", "--idempotency-key", "build-1", code=1)
    assert other["error"]["code"] == 51002


def test_signatures_are_listed_filtered_and_exported(
    server: Server, test_shell: Callable[..., Shell], tmp_path: Path
) -> None:
    shell = test_shell()
    lines = "\n".join(["sign", *(f"签名{number:03}" for number in range(120)), "测试模糊", ""])
    (tmp_path / "rows.csv").write_text(lines)
    assert shell.run("import", "rows.csv").returncode == 1
    listed = shell.json("sign", "list", "--limit", "0")
    assert len(listed) == 121
    assert [each["sign"] for each in shell.json("sign", "list", "--status", "refused")] == ["测试模糊"]
    assert [each["sign"] for each in shell.json("sign", "list", "--in-use")] == ["签名119"]
    assert len(shell.json("sign", "list", "--prefix", "签名00", "--since", "2020-01-01", "--limit", "3")) == 3
    assert shell.json("sign", "list", "--until", "2020-01-01") == []
    assert "签名119" in shell.run("sign", "list").stdout
    exported = shell.run("export")
    assert exported.returncode == 0
    found = list(csv.DictReader(io.StringIO(exported.stdout)))
    assert [int(each["sign_id"]) for each in found] == [each["sign_id"] for each in listed]
    assert datetime.fromisoformat(found[0]["created_at"]).tzinfo is not None
    assert shell.run("export", "--json", "-o", "all.jsonl", "--prefix", "签名").returncode == 0
    assert len([json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]) == 120
    assert shell.run("export", "--excel", "-o", "all.csv").returncode == 0
    assert (tmp_path / "all.csv").read_bytes()[:3] == b"\xef\xbb\xbf"
    assert shell.run("export", "-o", "none/all.csv").returncode == 2
    shell.env["SMSIGN_MASTER_SECRET"] = "0" * 24
    assert shell.run("export", "-o", "all.csv").returncode == 1
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 122
    assert not list(tmp_path.glob(".all*"))


def test_an_unknown_status_is_shown_as_its_number(shell: Shell) -> None:
    service = FakeService(lambda *_: response(200, '{"sign_id": 7, "sign": "极光推送", "status": 5}'))
    shell.env["SMSIGN_URL"] = service.url
    assert "status 5" in shell.run("sign", "get", "7").stdout
    waited = shell.run("sign", "wait", "7")
    assert (waited.returncode, waited.stdout) == (1, "7 【极光推送】 status 5\n")
    service.close()


def test_an_export_into_a_fifo_or_a_link_keeps_it(shell: Shell, tmp_path: Path) -> None:
    made = tmp_path / "pipe"
    os.mkfifo(made)
    (tmp_path / "link.csv").symlink_to("all.csv")
    reader = subprocess.Popen(["cat", str(made)], stdout=subprocess.PIPE, text=True)
    assert shell.run("export", "-o", "pipe").returncode == 0
    assert reader.communicate(timeout=20)[0].startswith("sign_id,sign,")
    assert made.is_fifo()
    assert shell.run("export", "-o", "link.csv").returncode == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "all.csv").read_text().startswith("sign_id,sign,")


def test_a_connection_error_during_an_export_leaves_no_file(shell: Shell, tmp_path: Path) -> None:
    shell.env["SMSIGN_URL"] = f"http://127.0.0.1:{free_port()}"
    failed = shell.run("export", "-o", "all.csv")
    assert (failed.returncode, "ConnectError" in failed.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value"), [("ALL_PROXY", "socks5://127.0.0.1:1"), ("SSL_CERT_FILE", "/nowhere/authorities.pem")]
)
def test_an_invalid_proxy_or_certificate_is_one_line(shell: Shell, name: str, value: str) -> None:
    shell.env[name] = value
    done = shell.run("sign", "get", "1")
    assert (done.returncode, done.stderr.count("\n"), "SSL_CERT_FILE" in done.stderr) == (2, 1, True)


def test_a_full_disk_is_one_line(shell: Shell) -> None:
    with Path("/dev/full").open("w") as full:
        for command in (("export",), ("sign", "list")):
            done = subprocess.run(
                [sys.executable, "-m", "smsign.cli", *command],
                env=shell.env,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
            assert (done.returncode, "No space left" in done.stderr) == (1, True), command
            assert "Traceback" not in done.stderr


def test_a_signature_is_checked_withdrawn_and_put_in_use(server: Server, shell: Shell) -> None:
    assert shell.json("sign", "check", "极光推送") == {"ok": True, "problems": []}
    wrong = shell.run("sign", "check", "【坏】")
    assert (wrong.returncode, "50104" in wrong.stdout) == (1, True)
    sign_id = str(shell.json("sign", "submit", "极光推送")["sign_id"])
    assert shell.run("sign", "withdraw", sign_id).returncode == 0
    assert shell.run("sign", "resubmit", sign_id, "极光推送").returncode == 0
    server.decide(int(sign_id), passed=False, reasons=("unreadable",), note="第二页")
    described = shell.run("sign", "get", sign_id, "--detail").stdout
    assert "unreadable" in described
    assert "signature.withdrawn" in described
    assert shell.run("sign", "use", sign_id).returncode == 1
    shell.run("sign", "resubmit", sign_id, "极光推送")
    server.decide(int(sign_id), passed=True)
    assert shell.json("sign", "use", "none") == {"in_use": None}
    assert shell.json("sign", "use", sign_id) == {"in_use": int(sign_id)}
    assert shell.run("sign", "use", "all").returncode == 2
