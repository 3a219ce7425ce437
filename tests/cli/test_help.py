"""Help teaches, and every command speaks JSON."""

from __future__ import annotations

from smsign.cli import cli
from smsign.domain.audits import REASONS


def test_every_command_explains_itself_and_answers_in_json() -> None:
    leaves = [
        (f"{group} {name}", command)
        for group in ("app", "audit", "events")
        for name, command in cli.commands[group].commands.items()  # type: ignore[attr-defined]
    ] + [(name, cli.commands[name]) for name in ("migrate", "sweep", "copy", "backup", "restore", "doctor")]
    for name, command in leaves:
        assert command.help, name
        assert any("--json" in option.opts for option in command.params), name
    for code in REASONS:
        assert code in (cli.commands["audit"].help or "")
