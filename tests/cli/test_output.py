"""Tables and fields: for a pipe one line each, tab-separated; on a terminal aligned, with nothing cut off."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Shell
from tests.client.conftest import FakeService, response

pytestmark = [
    pytest.mark.process,
    pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True),
]

LONG = "长" * 500
SIGN = {"sign_id": 7, "sign": LONG, "status": 2, "refuse_reason": f"{LONG}\nsecond line"}


@pytest.fixture
def long_values(shell: Shell) -> Shell:
    """A shell whose service has a signature with long values."""
    body = {"signs": [SIGN], "next": None}
    service = FakeService(
        lambda _, request: response(200, json.dumps(body if b"/v1/signs" in request else SIGN))
    )
    shell.env["SMSIGN_URL"] = service.url
    return shell


def test_a_pipe_gets_one_line_for_each_row_without_wrapping_and_padding(long_values: Shell) -> None:
    lines = long_values.run("sign", "list").stdout.splitlines()
    assert [line.split("\t") for line in lines] == [
        ["id", "signature", "status", "in use", "version", "submitted"],
        ["7", f"【{LONG}】", "refused", "", "", ""],
    ]
    assert long_values.run("sign", "get", "7").stdout.splitlines() == [
        "id\t7",
        f"signature\t【{LONG}】",
        "status\trefused",
        "in use\tno",
        f"reason\t{LONG} second line",
    ]


def test_a_message_on_standard_error_is_not_wrapped(shell: Shell) -> None:
    message = "x" * 500
    service = FakeService(
        lambda *_: response(400, json.dumps({"error": {"code": 50007, "message": message}}))
    )
    shell.env["SMSIGN_URL"] = service.url
    assert shell.run("sign", "get", "7").stderr.splitlines() == [f"smsign: 50007 {message}"]


def test_a_terminal_gets_aligned_columns_with_the_whole_value(long_values: Shell) -> None:
    for command in (("sign", "list"), ("sign", "get", "7")):
        code, shown = long_values.run_on_a_terminal(*command)
        assert (code, shown.count("长") >= 500, "\t" in shown, "…" in shown) == (0, True, False, False)
        assert max(map(len, shown.splitlines())) <= 80
