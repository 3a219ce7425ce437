"""Settings: one table of (name, default, help), read from flags, the environment and a file.

Later sources win: the default, `smsign.toml` (or SMSIGN_CONFIG), `SMSIGN_NAME_FILE` for secrets,
`SMSIGN_NAME`, and last the flag `--name`.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from smsign.domain.signatures import Rules
from smsign.errors import SetupError


class Setting(msgspec.Struct, frozen=True):
    """One row of the table; its type is its default's."""

    name: str
    default: str | int
    help: str
    stored: bool = False
    """Says where things are kept: every command takes it, not only `serve`."""
    worker: bool = False
    """Of use to `smsign worker` too."""
    secret: bool = False
    """May also come from a file that SMSIGN_NAME_FILE names."""

    @property
    def env(self) -> str:
        """Return the environment variable."""
        return f"SMSIGN_{self.name.upper()}"

    @property
    def flag(self) -> str:
        """Return the command line flag."""
        return "--" + self.name.replace("_", "-")


SETTINGS = {
    setting.name: setting
    for setting in (
        Setting("data", "data", "Folder for the database, the images and the key.", stored=True),
        Setting(
            "database",
            "",
            "sqlite:PATH or postgresql://USER:PASSWORD@HOST/NAME. Empty: DATA/smsign.db.",
            stored=True,
            secret=True,
        ),
        Setting("database_pool", 10, "PostgreSQL connections of each process.", stored=True),
        Setting(
            "blobs",
            "",
            "Where images are kept: file:PATH or s3://BUCKET/PREFIX. Empty: DATA/blobs.",
            stored=True,
        ),
        Setting(
            "secret_key",
            "",
            "64 hex digits that guard masterSecrets. Empty: DATA/secret.key, made at first start.",
            stored=True,
            secret=True,
        ),
        Setting("host", "127.0.0.1", "Address to listen on."),
        Setting("port", 8080, "Port to listen on. 0: any free one; the start says which."),
        Setting("socket", "", "Unix socket to listen on, in place of host and port."),
        Setting("workers", 1, "Server processes."),
        Setting("tls_cert", "", "Certificate chain (PEM). With tls_key: serve HTTPS."),
        Setting("tls_key", "", "Private key of the certificate (PEM, PKCS#8)."),
        Setting("stop_timeout", 30, "Seconds that requests in flight get to finish at a stop.", worker=True),
        Setting(
            "trusted_proxies",
            "",
            "Addresses or networks, comma separated, whose X-Forwarded-For is believed.",
        ),
        Setting("body_timeout", 10, "Seconds without progress after which an upload is refused."),
        Setting(
            "auth_failures", 10, "Wrong secrets for one key from one address, before both are throttled."
        ),
        Setting("auth_window", 60, "Seconds over which wrong secrets are counted."),
        Setting("oidc_issuer", "", "Address of an OpenID Connect provider that people may sign in with."),
        Setting("oidc_client_id", "", "What the provider calls this server."),
        Setting("oidc_client_secret", "", "What the provider gave this server to prove itself.", secret=True),
        Setting("content_min", 2, "Fewest characters of a signature."),
        Setting("content_max", 8, "Most characters of a signature."),
        Setting("image_bytes", 2_000_000, "Most bytes of an image."),
        Setting("image_pixels", 25_000_000, "Most pixels (width × height) of an image."),
        Setting("submissions_a_day", 0, "Most submissions of an application in a day (UTC); 0: no limit."),
        Setting(
            "sweep_hours",
            6,
            "Hours between sweeps of images that no submission names and of old keys; 0: never.",
        ),
        Setting("deliver", 1, "1: the server tells callbacks too; 0: leave that to `smsign worker`."),
        Setting("callback_timeout", 10, "Seconds that a receiver of callbacks has to answer.", worker=True),
        Setting(
            "callback_networks",
            "",
            "Networks, comma separated, that callbacks may reach though they are not public.",
            worker=True,
        ),
        Setting("delivery_days", 30, "Days that deliveries are kept; 0: for ever.", worker=True),
        Setting("log_format", "json", "json, or text for people.", worker=True),
        Setting(
            "language", "en", "en or zh: the language of answers when a request asks for none.", worker=True
        ),
    )
}

_BOUNDS = {
    "database_pool": (1, 1000),
    "port": (0, 65535),
    "workers": (1, 256),
    "stop_timeout": (1, 3600),
    "body_timeout": (1, 600),
    "auth_failures": (1, 100_000),
    "auth_window": (1, 86_400),
    "content_min": (1, 64),
    "content_max": (1, 64),
    "image_bytes": (1_000, 100_000_000),
    "image_pixels": (1, 1_000_000_000),
    "submissions_a_day": (0, 1_000_000_000),
    "sweep_hours": (0, 10_000),
    "deliver": (0, 1),
    "callback_timeout": (1, 60),
    "delivery_days": (0, 10_000),
}
_CHOICES = {"log_format": ("json", "text"), "language": ("en", "zh")}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, checked. Fields are the rows of SETTINGS; derived places are properties."""

    data: str
    database: str
    database_pool: int
    blobs: str
    secret_key: str
    host: str
    port: int
    socket: str
    workers: int
    tls_cert: str
    tls_key: str
    stop_timeout: int
    trusted_proxies: str
    body_timeout: int
    auth_failures: int
    auth_window: int
    oidc_issuer: str
    oidc_client_id: str
    oidc_client_secret: str
    content_min: int
    content_max: int
    image_bytes: int
    image_pixels: int
    submissions_a_day: int
    sweep_hours: int
    deliver: int
    callback_timeout: int
    callback_networks: str
    delivery_days: int
    log_format: str
    language: str

    @property
    def folder(self) -> Path:
        """Return the data folder."""
        return Path(self.data)

    @property
    def database_url(self) -> str:
        """Return the database's URL, the embedded default filled in."""
        return self.database or f"sqlite:{self.folder / 'smsign.db'}"

    @property
    def blobs_url(self) -> str:
        """Return the blob store's URL, the folder filled in."""
        return self.blobs or f"file:{self.folder / 'blobs'}"

    @property
    def key_file(self) -> Path:
        """Return the file of the secret key."""
        return self.folder / "secret.key"

    @property
    def rules(self) -> Rules:
        """Return the bounds of a submission."""
        return Rules(
            content_min=self.content_min,
            content_max=self.content_max,
            image_bytes=self.image_bytes,
            image_pixels=self.image_pixels,
            submissions_a_day=self.submissions_a_day,
        )


def load(flags: Mapping[str, str | int | None], env: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings, from all sources, checked.

    Raises: SetupError, naming the setting, what is wrong and how to mend it.
    """
    file = _read_file(flags, env)
    if unknown := [name for name in file if name not in SETTINGS]:
        raise SetupError(f"{unknown[0]}: not a setting; `smsign serve --help` lists them")
    values: dict[str, Any] = {}
    for name, setting in SETTINGS.items():
        given = flags.get(name)
        if given is None:
            given = env.get(setting.env)
        if given is None and setting.secret and (path := env.get(f"{setting.env}_FILE")):
            given = _read_secret(f"{setting.env}_FILE", path)
        if given is None:
            given = file.get(name, setting.default)
        values[name] = _check(setting, given)
    settings = Settings(**values)
    if settings.content_min > settings.content_max:
        raise SetupError("content_min: above content_max; lower one or raise the other")
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise SetupError("tls_cert and tls_key: set both, or neither")
    if bool(settings.oidc_issuer) != bool(settings.oidc_client_id):
        raise SetupError("oidc_issuer and oidc_client_id: set both, or neither")
    if settings.oidc_issuer and not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", settings.oidc_issuer):
        raise SetupError(
            f"oidc_issuer: {settings.oidc_issuer!r} is no address that starts with https:// or http://"
        )
    return settings


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(name: str, text: str) -> tuple[Network, ...]:
    """Return the networks in the comma separated list that the setting `name` holds.

    Raises: SetupError.
    """
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise SetupError(f"{name}: {error}") from error


def _read_file(flags: Mapping[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    named = env.get("SMSIGN_CONFIG")
    folder = flags.get("data") or env.get("SMSIGN_DATA") or SETTINGS["data"].default
    path = Path(named) if named else Path(str(folder)) / "smsign.toml"
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))  # editors on Windows begin with a BOM
    except FileNotFoundError:
        if named:
            raise SetupError(f"SMSIGN_CONFIG: {path} does not exist") from None
        return {}
    except (OSError, ValueError) as error:
        raise SetupError(f"{path}: {error}") from error


def _read_secret(variable: str, path: str) -> str:
    try:
        secret = Path(path).read_text("utf-8-sig").strip()
    except OSError as error:
        raise SetupError(f"{variable}: {path}: {error.strerror}") from error
    except ValueError:  # what it says may quote the secret
        raise SetupError(f"{variable}: {path} is no text in UTF-8") from None
    if not secret:
        raise SetupError(f"{variable}: {path} is empty; write it anew, or remove the variable")
    return secret


def _check(setting: Setting, given: object) -> str | int:
    if isinstance(setting.default, str):
        text = str(given)
        if (choices := _CHOICES.get(setting.name)) and text not in choices:
            raise SetupError(f"{setting.name}: {text!r} is not one of {', '.join(choices)}")
        return text
    low, high = _BOUNDS[setting.name]
    try:
        number = int(str(given))
    except ValueError:
        raise SetupError(f"{setting.name}: {given!r} is not a whole number") from None
    if not low <= number <= high:
        raise SetupError(f"{setting.name}: {number} is not between {low} and {high}")
    return number
