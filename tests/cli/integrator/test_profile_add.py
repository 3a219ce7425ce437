"""`smsign profile add`: the form of the keys, and the call that checks them."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Shell
from tests.client.conftest import FakeService, response
from tests.running import Server, free_port

pytestmark = [
    pytest.mark.process,
    pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True),
]

KEY, SECRET = "a" * 24, "b" * 24


@pytest.mark.parametrize("wrong", ["B" * 24, "b" * 23, "b" * 25, "极" * 24, f"{'b' * 12} {'b' * 11}"])
def test_a_secret_of_another_form_is_named_and_not_printed(shell: Shell, wrong: str) -> None:
    add = ("profile", "add", "x", "--url", "http://127.0.0.1:1", "--app-key")
    done = shell.run(*add, KEY, stdin=wrong)
    assert (done.returncode, "masterSecret: not 24 characters of 0-9 and a-f" in done.stderr) == (2, True)
    assert wrong not in done.stderr + done.stdout
    done = shell.run(*add, wrong, stdin=SECRET)
    assert (done.returncode, "appKey: not 24 characters" in done.stderr) == (2, True)
    assert shell.json("profile", "list") == []


def test_the_check_stores_a_profile_only_if_the_service_accepts_its_keys(
    server: Server, shell: Shell
) -> None:
    key = server.make_app()
    add = ("profile", "add", "work", "--url", server.url, "--app-key", key.app_key)
    wrong = shell.run(*add, "--check", stdin=SECRET)
    assert (wrong.returncode, "smsign: 50002 auth failed" in wrong.stderr) == (1, True)
    assert "Not stored" in wrong.stderr
    assert shell.json("profile", "list") == []
    right = shell.run(*add, "--check", stdin=key.master_secret)
    assert (right.returncode, "The service accepts the keys" in right.stderr) == (0, True)
    elsewhere = ("profile", "add", "none", "--url", f"http://127.0.0.1:{free_port()}", "--app-key", KEY)
    assert shell.run(*elsewhere, stdin=SECRET).returncode == 0  # no question without a terminal
    assert len(shell.json("profile", "list")) == 2


def test_the_check_works_with_a_service_that_has_the_four_calls_only(shell: Shell) -> None:
    service = FakeService(
        lambda *_: response(404, '{"error": {"code": 50102, "message": "invalid sign id"}}')
    )
    add = ("profile", "add", "vendor", "--url", service.url, "--app-key", KEY, "--check")
    assert shell.run(*add, stdin=SECRET).returncode == 0
    service.close()


@pytest.mark.parametrize(("answer", "calls"), [("y", 1), ("", 1), ("n", 0)])
def test_a_terminal_asks_whether_to_check(shell: Shell, answer: str, calls: int) -> None:
    service = FakeService(
        lambda *_: response(404, '{"error": {"code": 50102, "message": "invalid sign id"}}')
    )
    add = ("profile", "add", "x", "--url", service.url, "--app-key", KEY)
    code, shown = shell.run_on_a_terminal(*add, answers=(SECRET, answer))
    assert (code, len(service.requests)) == (0, calls), shown
    assert "Check address and keys with one call? [Y/n]" in shown
    service.close()


def test_without_a_stored_secret_the_check_uses_the_one_of_the_environment(shell: Shell) -> None:
    del shell.env["SMSIGN_MASTER_SECRET"]
    add = ("profile", "add", "x", "--url", "http://127.0.0.1:1", "--app-key", KEY, "--no-secret")
    missing = shell.run(*add, "--check")
    assert (missing.returncode, "set SMSIGN_MASTER_SECRET" in missing.stderr) == (2, True)
    assert shell.run(*add).returncode == 0
