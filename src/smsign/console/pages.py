"""How pages are rendered: templates, static files and response headers."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, tzinfo
from functools import cache, lru_cache
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
import msgspec

_CSP = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self';"
    b" form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The Content Security Policy of every page: files of this server only, and nothing inline."""

HEADERS = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", _CSP),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
COUNTED = 10_000
"""Up to how many rows a page counts."""
TYPES = {"css": b"text/css; charset=utf-8", "js": b"text/javascript; charset=utf-8", "svg": b"image/svg+xml"}


@cache
def static() -> dict[str, tuple[bytes, bytes]]:
    """Return name -> (content type, bytes) of the static files."""
    folder = resources.files("smsign.console").joinpath("static")
    return {
        file.name: (TYPES[file.name.rpartition(".")[2]], file.read_bytes())
        for file in folder.iterdir()
        if file.name.rpartition(".")[2] in TYPES
    }


@cache
def static_url(name: str) -> str:
    """Return the URL of a static file; its query is a digest of the content, so it may be cached for ever."""
    return f"/console/static/{name}?{hashlib.sha256(static()[name][1]).hexdigest()[:12]}"


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
    env.globals["static"] = static_url
    env.filters.update(actor_name=actor_name, headers=headers)
    return env


def render(template: str, **values: Any) -> str:
    """Return a page as HTML."""
    return _templates().get_template(template).render(**values)


@lru_cache(1000)
def zone(name: str) -> tzinfo:
    """Return the time zone of an IANA name, or UTC for any other text."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return UTC


def count_text(number: int) -> str:
    """Return a number of rows, or "10,000+" if it is higher than what pages count."""
    return str(number) if number <= COUNTED else f"{COUNTED:,}+"


def day_label(number: int) -> str:
    """Return a day, counted from 1970-01-01, as month and day."""
    return datetime.fromtimestamp(number * 86_400, UTC).strftime("%m-%d")


def headers(text: str) -> str:
    """Return headers, stored as a JSON object, one a line."""
    return "\n".join(f"{name}: {value}" for name, value in msgspec.json.decode(text).items())


def actor_name(actor: str) -> str:
    """Return an actor as people read it: the account's name, API, or a name with its kind."""
    kind, _, name = actor.partition(":")
    return name if kind == "account" else "API" if kind == "app" else f"{name} ({kind})"
