"""`smsign completion SHELL`: click's own scripts, which ask `smsign` itself what fits."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from smsign.cli.output import show_json

VARIABLE = "_SMSIGN_COMPLETE"

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, for programs.")
def completion(shell: str, *, as_json: bool) -> None:
    """Print the script that completes commands in a shell.

    \b
    eval "$(smsign completion bash)"       in ~/.bashrc
    eval "$(smsign completion zsh)"        in ~/.zshrc
    smsign completion fish | source        in ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click knows the shells of the choice"
    script = kind(click.get_current_context().find_root().command, {}, "smsign", VARIABLE)
    text = script.source_template % script.source_vars()
    show_json({"shell": shell, "script": text}) if as_json else click.echo(text)
