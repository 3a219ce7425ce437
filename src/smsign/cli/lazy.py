"""Commands that are imported when they are run: `smsign --help` and completion load none of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

INTERRUPTED = 130
"""128 and the number of SIGINT."""


class LazyCommands(MutableMapping[str, click.Command]):
    """A table of {name: (module, what it does)}; a command is imported once it is asked for.

    What a command does stands here once more, so that it can be told without importing; a test compares.
    """

    def __init__(self, table: Mapping[str, tuple[str, str]]) -> None:
        self.table = dict(table)
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded:
            module = import_module(self.table[name][0])
            # A name that Python or a module uses otherwise bears an underscore: import_.
            self._loaded[name] = getattr(module, f"{name}_", None) or getattr(module, name)
        return self._loaded[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self.table[name] = ("", command.get_short_help_str(200))
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self.table[name]
        self._loaded.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self.table)

    def __len__(self) -> int:
        return len(self.table)


class LazyGroup(click.Group):
    """A group of lazy commands, told in the order of their table."""

    def __init__(self, name: str | None = None, *, lazy: Mapping[str, tuple[str, str]], **given: Any) -> None:
        self._lazy = LazyCommands(lazy)
        super().__init__(name, self._lazy, **given)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; Ctrl-C ends it as a shell expects, and not as a refusal does."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("smsign: stopped", err=True)
            sys.exit(INTERRUPTED)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return all names."""
        return list(self._lazy)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands of the help page."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in self._lazy.table.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name."""
        found = [
            CompletionItem(name, help=about)
            for name, (_, about) in self._lazy.table.items()
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)
