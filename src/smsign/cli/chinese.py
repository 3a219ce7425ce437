"""The Chinese of help texts and of click's messages: words.zh.json has it for each English text.

Imported only when the language is Chinese.
"""

from __future__ import annotations

import gettext
import inspect
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources

import click
import msgspec

_CLOSING = "，。；：、！？）】」》”’"
_PIECE = re.compile(rf"[（【「《“‘]*(?:[!-~]+|[^\s])[{_CLOSING}]*|\s+")
"""What a line may be broken around: a word in ASCII, one Chinese character, or spaces."""


@cache
def words() -> Mapping[str, str]:
    """Return the Chinese of each English text; the value of a default in brackets is a text too."""
    text = resources.files("smsign.cli").joinpath("words.zh.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, str])


def split(help: str) -> list[tuple[str, str, str]]:
    """Return the paragraphs of a help text as (mark of click against wrapping, text, default in brackets)."""
    found = []
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(help)):
        mark, text = ("\b\n", paragraph[2:]) if paragraph.startswith("\b\n") else ("", paragraph)
        text = text if mark else " ".join(text.split("\n"))
        default = re.search(r"  \[([^\[\]]*)\]$", text)
        found.append((mark, text[: default.start()] if default else text, default[1] if default else ""))
    return found


def translated(help: str) -> str:
    """Return a help text in Chinese; a paragraph that has none stays as it is."""
    paragraphs = []
    for mark, text, default in split(help):
        ending = f"  [{words().get(default, default)}]" if default else ""
        paragraphs.append(mark + words().get(text, text) + ending)
    return "\n\n".join(paragraphs)


def translate(command: click.Command) -> None:
    """Translate the help of a command, of its options and of the commands below it."""
    command.help = command.help and translated(command.help)
    command.short_help = command.short_help and translated(command.short_help)
    command.epilog = command.epilog and translated(command.epilog)
    command.options_metavar = words().get(command.options_metavar or "", command.options_metavar)
    for option in command.params:
        if isinstance(option, click.Option):
            option.help = option.help and translated(option.help)
    if isinstance(command, click.Group):
        command.subcommand_metavar = words().get(command.subcommand_metavar, command.subcommand_metavar)
        for each in command.commands.values():
            translate(each)


def install() -> None:
    """Translate the messages of click, which go through gettext, and wrap help by the width of characters."""

    def one(domain: str, text: str) -> str:  # noqa: ARG001
        return words().get(text, text)

    def one_of(domain: str, one: str, several: str, number: int) -> str:  # noqa: ARG001
        return words().get(one if number == 1 else several, one if number == 1 else several)

    vars(gettext).update(dgettext=one, dngettext=one_of)
    click.Context.formatter_class = _Formatter


class _Formatter(click.HelpFormatter):
    """Wraps by columns, of which a Chinese character takes two, and between any two of them."""

    def write_text(self, text: str) -> None:
        indent = " " * self.current_indent
        for number, (mark, body, _) in enumerate(split(text)):
            self.write("\n" if number else "")
            lines = body.split("\n") if mark else wrap(body, self.width - self.current_indent)
            self.write("".join(f"{indent}{line}\n" for line in lines))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        rows = list(rows)
        first = min(max((_columns(term) for term, _ in rows), default=0), col_max) + col_spacing
        for term, text in rows:
            indent = " " * self.current_indent
            lines = wrap(text, max(self.width - self.current_indent - first, 10)) or [""]
            begun = f"{indent}{term}" + " " * (first - _columns(term))
            if _columns(term) > first - col_spacing:
                begun = f"{indent}{term}\n{indent}{' ' * first}"
            self.write((begun + f"\n{indent}{' ' * first}".join(lines)).rstrip() + "\n")


def wrap(text: str, width: int) -> list[str]:
    """Return `text` in lines of at most `width` columns; no line begins with a closing mark."""
    lines, line = [], ""
    for piece in _PIECE.findall(text):
        if line.strip() and _columns(line + piece) > width and piece.strip():
            lines.append(line.rstrip())
            line = ""
        line += piece if line else piece.lstrip()
    return [*lines, line.rstrip()] if line.strip() else lines


def _columns(text: Iterable[str]) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
