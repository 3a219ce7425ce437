"""Options of a submission: images by slot, text fields by name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import click

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
        help="Image file, in order or with its slot. May be repeated.",
    ),
    click.option(
        "--field",
        "-f",
        "fields",
        multiple=True,
        metavar="NAME=TEXT",
        help="Text field, such as type or remark. May be repeated.",
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
        raise click.UsageError(f"more than {len(NUMBERED)} images without a slot; add slots: otherImage=PATH")
    named |= zip(free, bare, strict=False)
    for slot, file in named.items():
        if not file.is_file():
            raise click.BadParameter(f"{slot}: {file} is not a file", param_hint="--image")
    return cast(dict[str, ImageFile], named)


def texts(given: tuple[str, ...]) -> Fields:
    """Return the text fields by name."""
    fields = dict(each.partition("=")[::2] for each in given)
    if unknown := [name for name in fields if name not in Fields.__annotations__]:
        known = ", ".join(Fields.__annotations__)
        raise click.BadParameter(f"unknown field {unknown[0]}; known fields: {known}", param_hint="--field")
    return cast(Fields, fields)
