"""How pages are made: templates, static files, headers, and times as the reader's clock shows them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, tzinfo
from functools import cache
from importlib import resources
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import jinja2
import msgspec

from smsign import __version__

_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self';"
    b" form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
TYPES = {"css": b"text/css; charset=utf-8", "js": b"text/javascript; charset=utf-8", "svg": b"image/svg+xml"}


class Reader(Protocol):
    """Who reads a page: their time zone, and their language."""

    @property
    def zone(self) -> tzinfo:
        """Return the time zone that times are shown in."""

    def t(self, text: str, **values: object) -> str:
        """Return `text` in the reader's language."""


_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


@cache
def static() -> dict[str, tuple[bytes, bytes]]:
    """Return name -> (type, bytes) of the files that pages link to."""
    folder = resources.files("smsign.console").joinpath("static")
    return {
        file.name: (TYPES[file.name.rpartition(".")[2]], file.read_bytes())
        for file in folder.iterdir()
        if file.name.rpartition(".")[2] in TYPES
    }


def static_url(name: str) -> str:
    """Return where a static file is; another content has another address, so it may be kept for ever."""
    return f"/console/static/{name}?{_digest(name)}"


@cache
def _digest(name: str) -> str:
    return hashlib.sha256(static()[name][1]).hexdigest()[:12]


@cache
def _templates() -> jinja2.Environment:
    env = jinja2.Environment(
        loader=jinja2.PackageLoader("smsign.console"),
        autoescape=True,
        auto_reload=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals.update(static=static_url, version=__version__)
    env.filters.update(who=who, headers=headers)
    return env


def render(template: str, **values: Any) -> str:
    """Return a page."""
    return _templates().get_template(template).render(when=when, age=age, day=day, **values)


@cache
def zone(name: str) -> tzinfo:
    """Return the time zone of an IANA name, or UTC for whatever is none."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return UTC


def when(reader: Reader, at: int | None) -> str:
    """Return UTC microseconds as the reader's clock shows them, to the minute."""
    if at is None:
        return ""
    local = datetime.fromtimestamp(at / 1e6, reader.zone)
    return local.strftime("%Y-%m-%d %H:%M") + (" UTC" if reader.zone is UTC else "")


def day(number: int) -> str:
    """Return a day, counted from 1970-01-01, as month and day."""
    return datetime.fromtimestamp(number * 86_400, UTC).strftime("%m-%d")


def age(reader: Reader, span: int | None) -> str:
    """Return a span of microseconds in the largest unit that fits."""
    if span is None:
        return "–"
    seconds = max(0, span) // 1_000_000
    for unit, length in _UNITS:
        if seconds >= length:
            return reader.t(f"{{n}} {unit}", n=seconds // length)
    return reader.t("{n} s", n=seconds)


def headers(text: str) -> str:
    """Return headers, kept as a JSON object, one a line."""
    return "\n".join(f"{name}: {value}" for name, value in msgspec.json.decode(text).items())


def who(actor: str) -> str:
    """Return an actor as people read it: a name, or what kind of caller it was."""
    kind, _, name = actor.partition(":")
    return name if kind == "account" else "API" if kind == "app" else f"{name} ({kind})"
