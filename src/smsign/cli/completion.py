"""`smsign completion SHELL`: the shell completion scripts of click."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from smsign.cli.output import json_option, show_json

VARIABLE = "_SMSIGN_COMPLETE"

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@json_option
def completion(shell: str, *, as_json: bool) -> None:
    """Print a shell completion script.

    \b
    eval "$(smsign completion bash)"       in ~/.bashrc
    eval "$(smsign completion zsh)"        in ~/.zshrc
    smsign completion fish | source        in ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click has a class for each of SHELLS"
    script = kind(click.get_current_context().find_root().command, {}, "smsign", VARIABLE)
    text = script.source_template % script.source_vars()
    show_json({"shell": shell, "script": text}) if as_json else click.echo(text)
