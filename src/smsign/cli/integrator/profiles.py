"""Profiles: which service and which application's keys a command uses, and the file that keeps them.

The file is ~/.config/smsign/config.toml (or under XDG_CONFIG_HOME), readable by its owner alone.
"""

from __future__ import annotations

import json
import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from smsign.errors import SetupError

URL, APP_KEY, MASTER_SECRET = "SMSIGN_URL", "SMSIGN_APP_KEY", "SMSIGN_MASTER_SECRET"
VARIABLES = {
    URL: "Address of the service, as https://sms.example.com",
    APP_KEY: "appKey of the application",
    MASTER_SECRET: "masterSecret of the application",
    "SMSIGN_PROFILE": "Name of the profile to use, in place of --profile",
}


class Profile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where to call, and as whom; what is empty is taken from the environment."""

    url: str = ""
    app_key: str = ""
    master_secret: str = ""


class Config(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The whole file. `default` is the profile that is used when none is named."""

    default: str = ""
    profile: dict[str, Profile] = {}


def path(env: Mapping[str, str] = os.environ) -> Path:
    """Return where the file is, or would be."""
    folder = env.get("XDG_CONFIG_HOME") or str(Path(env.get("HOME") or Path.home()) / ".config")
    return Path(folder) / "smsign" / "config.toml"


def load(file: Path) -> Config:
    """Return what the file holds; an empty one if there is none.

    Raises: SetupError.
    """
    try:
        return msgspec.convert(tomllib.loads(file.read_text("utf-8")), Config)
    except FileNotFoundError:
        return Config()
    except (OSError, ValueError, msgspec.ValidationError) as error:
        raise SetupError(f"{file}: {error}") from error


def save(file: Path, config: Config) -> None:
    """Write the file whole, in place of the one before, readable by its owner alone."""
    lines = ["# Written by smsign profile; comments are not kept.", f"default = {_quote(config.default)}"]
    for name, profile in config.profile.items():
        lines += ["", f"[profile.{_quote(name)}]"]
        lines += [f"{key} = {_quote(value)}" for key, value in msgspec.to_builtins(profile).items()]
    try:
        file = file.resolve()  # it may be a link to where someone keeps such files
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
        raise SetupError(f"{file}: {error.strerror}") from error


def warning(file: Path, config: Config) -> str:
    """Return what is wrong with who may read the file, or an empty text."""
    if not any(profile.master_secret for profile in config.profile.values()):
        return ""
    mode = stat.S_IMODE(file.stat().st_mode)
    told = f"{file} holds a masterSecret and others may read it; mend it with: chmod 600 {file}"
    return told if mode & 0o077 else ""


def choose(config: Config, name: str | None, env: Mapping[str, str] = os.environ) -> Profile:
    """Return the profile to use: the one named; else the environment; else the default one.

    A secret that a profile leaves out comes from the environment; otherwise key and secret are never taken
    from two places.

    Raises: SetupError with the way out.
    """
    given = Profile(
        url=env.get(URL, ""), app_key=env.get(APP_KEY, ""), master_secret=env.get(MASTER_SECRET, "")
    )
    if name is not None and name not in config.profile:
        known = ", ".join(config.profile) or "none yet; make one with: smsign profile add NAME"
        raise SetupError(f"there is no profile {name!r}; there is {known}")
    kept = config.profile.get(name or config.default, Profile())
    if name is not None:
        chosen = _fill(kept, given)
    elif given.app_key:
        chosen = _fill(given, Profile(url=kept.url))
    else:
        chosen = _fill(_fill(Profile(url=given.url), kept), given)
    told = {URL: chosen.url, APP_KEY: chosen.app_key, MASTER_SECRET: chosen.master_secret}
    if missing := [variable for variable, value in told.items() if not value]:
        raise SetupError(
            f"{', '.join(missing)} not known; set in the environment, or: smsign profile add NAME"
        )
    return chosen


def _fill(first: Profile, then: Profile) -> Profile:
    return Profile(
        url=first.url or then.url,
        app_key=first.app_key or then.app_key,
        master_secret=first.master_secret or then.master_secret,
    )


def _quote(text: str) -> str:
    """Write a basic string of TOML; JSON's escapes are a part of TOML's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
