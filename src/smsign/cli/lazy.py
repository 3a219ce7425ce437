"""Lazy loading of commands: `smsign --help` and completion import no command."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from importlib import import_module
from typing import Any

import click

from smsign.cli.language import language, say
from smsign.errors import SetupError

INTERRUPTED = 130
"""128 and the number of SIGINT."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they run; listed in the order of their table.

    `lazy` is {name: (module, help)}. A test holds that the help is the command's own.
    """

    def __init__(self, name: str | None = None, *, lazy: Mapping[str, tuple[str, str]], **given: Any) -> None:
        stubs = {command: click.Command(command, short_help=text) for command, (_, text) in lazy.items()}
        super().__init__(name, stubs, **given)
        self._modules = {command: module for command, (module, _) in lazy.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of all commands."""
        return list(self.commands)

    def load(self, name: str) -> click.Command:
        """Import a command.

        Raises: SetupError when the packages of the server are not installed.
        """
        try:
            module = import_module(self._modules[name])
        except ModuleNotFoundError as error:
            if (error.name or "smsign").partition(".")[0] in {"smsign", *sys.stdlib_module_names}:
                raise
            raise SetupError(
                f"{name} needs the server; install it: pip install 'smsign[server]'",
                f"{name} 需要服务端组件，请安装：pip install 'smsign[server]'",
            ) from error
        # A command whose name is a keyword or used otherwise has an underscore: import_.
        command: click.Command = getattr(module, f"{name}_", None) or getattr(module, name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Import the command that is run; completion does without one that cannot be imported."""
        name, command, rest = super().resolve_command(ctx, args)
        with suppress(SetupError) if ctx.resilient_parsing else nullcontext():
            command = self.load(name) if name else command
        if command and language() == "zh":
            from smsign.cli.chinese import translate  # lazy: English does without its table

            translate(command)
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; exit with 130 on Ctrl-C, as shells expect."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo(say("smsign: interrupted", "smsign: 已中断"), err=True)
            sys.exit(INTERRUPTED)
