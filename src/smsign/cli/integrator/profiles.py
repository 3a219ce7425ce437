"""Profiles: the service and the application's keys that a command uses, and the file that stores them.

The file is ~/.config/smsign/config.toml (or under XDG_CONFIG_HOME), readable by its owner alone.
"""

from __future__ import annotations

import json
import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from smsign.cli.language import say
from smsign.client.options import APP_KEY, MASTER_SECRET, URL
from smsign.errors import SetupError

VARIABLES = {
    URL: "Address of the service, such as https://sms.example.com",
    APP_KEY: "appKey of the application",
    MASTER_SECRET: "masterSecret of the application",
    "SMSIGN_PROFILE": "Name of the profile, as --profile",
}


class Profile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The address of a service and the keys of an application; empty ones come from the environment."""

    url: str = ""
    app_key: str = ""
    master_secret: str = ""


class Config(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The configuration file. `default` is the name of the default profile."""

    default: str = ""
    profile: dict[str, Profile] = {}


def path(env: Mapping[str, str] = os.environ) -> Path:
    """Return the path of the file."""
    folder = env.get("XDG_CONFIG_HOME") or str(Path(env.get("HOME") or Path.home()) / ".config")
    return Path(folder) / "smsign" / "config.toml"


def load(file: Path) -> Config:
    """Read the file; return an empty configuration if there is none.

    Raises: SetupError.
    """
    try:
        return msgspec.convert(tomllib.loads(file.read_text("utf-8")), Config)
    except FileNotFoundError:
        return Config()
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise SetupError(f"{file}: {error}", f"{file}：{error}") from error


def save(file: Path, config: Config) -> None:
    """Replace the file atomically, readable by its owner alone."""
    lines = ["# Written by smsign profile; comments are lost.", f"default = {_quote(config.default)}"]
    for name, profile in config.profile.items():
        lines += ["", f"[profile.{_quote(name)}]"]
        lines += [f"{key} = {_quote(value)}" for key, value in msgspec.to_builtins(profile).items()]
    try:
        file = file.resolve()  # keep a symbolic link
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        written = file.with_name(f".{file.name}.{os.getpid()}")
        with open(
            os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as out:
            out.write("\n".join(lines) + "\n")
            out.flush()
            os.fsync(out.fileno())
        written.replace(file)
    except OSError as error:
        raise SetupError(f"{file}: {error.strerror}", f"{file}：{error.strerror}") from error


def load_with_warning() -> Config:
    """Read the file, and warn if other users can read a secret in it.

    Raises: SetupError.
    """
    file = path()
    config = load(file)
    has_secret = any(profile.master_secret for profile in config.profile.values())
    if has_secret and stat.S_IMODE(file.stat().st_mode) & 0o077:
        warning = say(
            f"Warning: other users can read the masterSecret in it; chmod 600 {file}",
            f"警告：其他用户可以读取其中的 masterSecret；请运行 chmod 600 {file}",
        )
        click.echo(warning, err=True)
    return config


def choose(config: Config, name: str | None, env: Mapping[str, str] = os.environ) -> Profile:
    """Return the profile to use: the named one, else the environment, else the default one.

    A profile without a secret takes it from the environment; otherwise key and secret always come from the
    same source.

    Raises: SetupError.
    """
    given = Profile(
        url=env.get(URL, ""), app_key=env.get(APP_KEY, ""), master_secret=env.get(MASTER_SECRET, "")
    )
    if name is not None and name not in config.profile:
        known = ", ".join(config.profile)
        raise SetupError(
            f"unknown profile {name!r}; known profiles: {known or 'none; add one: smsign profile add NAME'}",
            f"没有配置 {name!r}；已有的配置：{known or '无；可用 smsign profile add NAME 添加'}",
        )
    stored = config.profile.get(name or config.default, Profile())
    if name is not None:
        chosen = _fill(stored, given)
    elif given.app_key:
        chosen = _fill(given, Profile(url=stored.url))
    else:
        chosen = _fill(_fill(Profile(url=given.url), stored), given)
    values = {URL: chosen.url, APP_KEY: chosen.app_key, MASTER_SECRET: chosen.master_secret}
    if missing := [variable for variable, value in values.items() if not value]:
        raise SetupError(
            f"{', '.join(missing)} not set; set the environment, or: smsign profile add NAME",
            f"未设置 {'、'.join(missing)}；请设置环境变量，或运行 smsign profile add NAME",
        )
    return chosen


def _fill(first: Profile, then: Profile) -> Profile:
    return Profile(
        url=first.url or then.url,
        app_key=first.app_key or then.app_key,
        master_secret=first.master_secret or then.master_secret,
    )


def _quote(text: str) -> str:
    """Return a TOML basic string; the escapes of JSON are a subset of TOML's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
