"""Help teaches, every command speaks JSON, and nothing is loaded before it is needed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click

from smsign.cli import COMMANDS, cli
from smsign.config import SETTINGS
from smsign.domain.audits import REASONS


def _leaves(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _leaves(command, f"{path} {name}")
        else:
            yield f"{path} {name}".strip(), command


def test_every_command_explains_itself_and_answers_in_json() -> None:
    for name, command in _leaves(cli):
        assert command.help, name
        assert name in ("serve", "worker") or any("--json" in option.opts for option in command.params), name


def test_the_worker_takes_no_flag_that_has_no_effect_there() -> None:
    flags = {option.opts[0] for option in cli.commands["worker"].params}
    assert {"--database", "--callback-networks", "--stop-timeout", "--log-format"} <= flags
    assert not {"--port", "--tls-cert", "--workers", "--deliver", "--oidc-issuer"} & flags
    assert {setting.flag for setting in SETTINGS.values()} < {
        option.opts[0] for option in cli.commands["serve"].params
    }


def test_the_help_of_audit_lists_all_reasons() -> None:
    for code in REASONS:
        assert code in (cli.commands["audit"].help or "")


def test_the_first_page_of_help_says_of_each_command_what_it_says_itself() -> None:
    for name, (_, about) in COMMANDS.items():
        assert cli.commands[name].get_short_help_str(200) == about, name


def test_help_loads_neither_the_server_nor_the_client() -> None:
    program = """
import sys
from smsign.cli import cli
cli(["--help"], standalone_mode=False)
print(*(name for name in sys.modules if name.startswith(("smsign", "apsw", "asyncpg", "httpx2", "rich"))))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.splitlines()[-1].split()) <= {"smsign", "smsign.cli", "smsign.cli.lazy"}
    assert "Submit signatures to a service" in done.stdout
