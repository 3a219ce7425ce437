"""Help texts, options of all commands, lazy loading."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click

from smsign.cli import COMMANDS, cli
from smsign.config import SETTINGS
from smsign.domain.audits import REASONS


def _leaves(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from _leaves(each, f"{path} {name}")
    else:
        yield path, command


def tree(command: click.Command) -> Iterator[click.Command]:
    """Yield a command and all commands below it."""
    yield command
    if isinstance(command, click.Group):
        for each in command.commands.values():
            yield from tree(each)


def test_every_command_has_help_and_a_json_option() -> None:
    for name, command in (leaf for each in COMMANDS for leaf in _leaves(cli.load(each), each)):
        assert command.help, name
        assert name in ("serve", "worker") or any("--json" in option.opts for option in command.params), name


def test_the_worker_has_only_options_that_affect_it() -> None:
    flags = {option.opts[0] for option in cli.load("worker").params}
    assert {"--database", "--callback-networks", "--stop-timeout", "--log-format"} <= flags
    assert not {"--port", "--tls-cert", "--workers", "--deliver", "--oidc-issuer"} & flags
    assert {setting.flag for setting in SETTINGS.values()} < {
        option.opts[0] for option in cli.load("serve").params
    }


def test_the_help_of_audit_lists_all_reason_codes() -> None:
    for code in REASONS:
        assert code in (cli.load("audit").help or "")


def test_the_help_in_the_table_of_commands_equals_their_own() -> None:
    for name, (_, about) in COMMANDS.items():
        assert cli.load(name).get_short_help_str(200) == about, name


def test_no_line_of_a_list_of_commands_is_cut_off() -> None:
    for group in [cli, *(each for name in COMMANDS for each in tree(cli.load(name)))]:
        if isinstance(group, click.Group):
            text = group.get_help(click.Context(group, terminal_width=80))
            assert "..." not in text.partition("Commands:")[2], text


def test_help_imports_neither_the_server_nor_the_client() -> None:
    program = """
import sys
from smsign.cli import cli
cli(["--help"], standalone_mode=False)
print(*(name for name in sys.modules if name.startswith(("smsign", "apsw", "asyncpg", "httpx2", "rich"))))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.splitlines()[-1].split()) <= {
        "smsign",
        "smsign.cli",
        "smsign.cli.language",
        "smsign.cli.lazy",
        "smsign.errors",
    }
    assert "Submit and query signatures" in done.stdout
