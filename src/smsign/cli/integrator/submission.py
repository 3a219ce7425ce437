"""Options of a submission: images by slot, text fields by name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import click

from smsign.cli import types
from smsign.cli.language import say, word
from smsign.client import Fields, ImageFile
from smsign.client.multipart import NUMBERED, SLOTS

Command = Callable[..., Any]

TIMEOUT_S = 600.0


def combine(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Return one decorator for several options, listed in their order."""
    return lambda command: functools.reduce(
        lambda inner, option: option(inner), reversed(decorators), command
    )


submission = combine(
    click.option(
        "--image",
        "-i",
        "images",
        multiple=True,
        metavar="[SLOT=]PATH",
        help="Image file (PNG or JPEG), in order or with its slot: idCardImage=id.png. May be repeated.",
    ),
    click.option(
        "--type", "kind", metavar="TYPE", help="Type of the signature, by number or word; listed below."
    ),
    click.option(
        "--field",
        "-f",
        "fields",
        multiple=True,
        metavar="NAME=TEXT",
        help="Text field: remark, legalPersonName, legalPersonIdNumber, socialCreditCode,"
        " thirdPartyCompanyName. May be repeated.",
    ),
)

timeout_option = click.option(
    "--timeout",
    "timeout_s",
    default=TIMEOUT_S,
    type=click.FloatRange(0),
    metavar="SECONDS",
    help=f"Maximum time to wait for the decision.  [{TIMEOUT_S:g}]",
)

waiting = combine(
    click.option("--wait", is_flag=True, help="Wait for the decision; exit with 1 if refused."),
    timeout_option,
    click.option("--idempotency-key", default="", help="Submit only once, even if the command is repeated."),
)


def by_slot(given: tuple[str, ...]) -> dict[str, ImageFile]:
    """Return the images by slot; paths without one take the free numbered slots in order."""
    named: dict[str, Path] = {}
    bare = []
    for each in given:
        slot, equals, path = each.partition("=")
        if equals and slot in SLOTS:
            named[slot] = Path(path)
        else:
            bare.append(Path(each))
    free = [slot for slot in NUMBERED if slot not in named]
    if len(bare) > len(free):
        raise click.UsageError(word("more than 4 images without a slot; add slots: otherImage=PATH"))
    named |= zip(free, bare, strict=False)
    for slot, file in named.items():
        if not file.is_file():
            why = say(f"{slot}: {file} is not a file", f"{slot}：{file} 不是文件")
            raise click.BadParameter(why, param_hint="--image")
    return cast(dict[str, ImageFile], named)


def texts(given: tuple[str, ...], kind: str | None) -> Fields:
    """Return the text fields by name, with the type as its number."""
    fields = dict(each.partition("=")[::2] for each in given)
    hint = "--type" if kind else "--field"
    if kind or fields.get("type"):
        known = types.find_type(given_type := kind or fields["type"])
        if known is None:
            message = say(f"unknown type {given_type}; types: ", f"未知的类型 {given_type}；可用的类型：")
            raise click.BadParameter(message + types.list_types(), param_hint=hint)
        fields["type"] = known
    if unknown := [name for name in fields if name not in Fields.__annotations__]:
        known = ", ".join(Fields.__annotations__)
        why = say(
            f"unknown field {unknown[0]}; known fields: {known}",
            f"没有字段 {unknown[0]}；可用的字段：{known}",
        )
        raise click.BadParameter(why, param_hint="--field")
    return cast(Fields, fields)
