"""Commands that wait: for a decision, with the sign_id in every outcome, and before a retry."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from tests.cli.conftest import Shell
from tests.client.conftest import FakeService, response

pytestmark = [
    pytest.mark.process,
    pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True),
]

SIGN = '{"sign_id": 7, "sign": "极光推送", "status": 0}'


def test_a_submission_that_is_not_decided_in_time_prints_sign_id_and_status(
    test_shell: Callable[..., Shell],
) -> None:
    shell = test_shell()
    options = ("--wait", "--timeout", "0.1")
    late = shell.json("sign", "submit", "测试待审", *options, code=3)
    assert (late["status"], "still in the audit" in late["error"]["message"]) == (0, True)
    assert shell.json("sign", "get", str(late["sign_id"]))["sign"] == "测试待审"
    again = shell.json("sign", "wait", str(late["sign_id"]), "--timeout", "0.1", code=3)
    assert (again["sign_id"], again["status"]) == (late["sign_id"], 0)
    shell.run("sign", "withdraw", str(late["sign_id"]))
    resubmitted = shell.json("sign", "resubmit", str(late["sign_id"]), "测试待审", *options, code=3)
    assert (resubmitted["sign_id"], resubmitted["status"]) == (late["sign_id"], 0)


def test_the_sign_id_is_printed_when_waiting_for_the_decision_fails(shell: Shell) -> None:
    answers = [response(200, '{"sign_id": 7}'), response(403, '{"error": {"code": 50008}}')]
    service = FakeService(lambda number, _: answers[min(number, 1)])
    shell.env["SMSIGN_URL"] = service.url
    done = shell.run("sign", "submit", "极光推送", "--wait", "--json")
    assert (done.returncode, json.loads(done.stdout)["sign_id"]) == (1, 7)
    assert done.stderr.startswith("7 submitted; waiting for the decision\n")
    service.close()


def test_every_retry_is_reported_once_with_its_seconds(shell: Shell) -> None:
    busy = '{"error": {"code": 50009, "message": "out of freq"}}'
    answers = [
        response(429, busy, "Retry-After: 1"),
        None,
        response(503, ""),
        response(200, SIGN),
    ]
    service = FakeService(lambda number, _: answers[number])
    shell.env["SMSIGN_URL"] = service.url
    done = shell.run("sign", "get", "7", "--json")
    assert (done.returncode, json.loads(done.stdout)["sign_id"]) == (0, 7)
    reported = done.stderr.splitlines()
    assert len(reported) == 3
    assert re.fullmatch(r"smsign: 50009 out of freq; retrying in 1\.\d s", reported[0])
    assert all(re.fullmatch(r"smsign: .+; retrying in \d\.\d s", line) for line in reported)
    service.close()


def test_polling_for_a_decision_is_no_retry(shell: Shell) -> None:
    passed = SIGN.replace('"status": 0', '"status": 1')
    service = FakeService(lambda number, _: response(200, SIGN if number < 2 else passed))
    shell.env["SMSIGN_URL"] = service.url
    done = shell.run("sign", "wait", "7")
    assert (done.returncode, done.stderr) == (0, "")
    service.close()
