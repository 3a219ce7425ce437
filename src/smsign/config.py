"""Settings: one table of (name, default, help), read from flags, the environment and a file.

Later sources win: the default, `smsign.toml` (or SMSIGN_CONFIG), `SMSIGN_NAME_FILE` for secrets,
`SMSIGN_NAME`, and last the flag `--name`.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from smsign.config_files import read_file, read_secret, wrong
from smsign.domain.signatures import Rules


class Setting(msgspec.Struct, frozen=True):
    """One row of the table; its type is its default's."""

    name: str
    default: str | int
    help: str
    stored: bool = False
    """Locates the data, so every command has it, not only `serve`."""
    worker: bool = False
    """`smsign worker` has it too."""
    secret: bool = False
    """May be read from a file named by SMSIGN_NAME_FILE."""

    @property
    def env(self) -> str:
        """Return the name of the environment variable."""
        return f"SMSIGN_{self.name.upper()}"

    @property
    def flag(self) -> str:
        """Return the command line flag."""
        return "--" + self.name.replace("_", "-")


SETTINGS = {
    setting.name: setting
    for setting in (
        Setting("data", "data", "Data folder: database, images and secret key.", stored=True),
        Setting(
            "database",
            "",
            "sqlite:PATH or postgresql://USER:PASSWORD@HOST/NAME. Empty: DATA/smsign.db.",
            stored=True,
            secret=True,
        ),
        Setting("database_pool", 10, "Size of the PostgreSQL connection pool of each process.", stored=True),
        Setting(
            "blobs",
            "",
            "Blob store for the images: file:PATH or s3://BUCKET/PREFIX. Empty: DATA/blobs.",
            stored=True,
        ),
        Setting(
            "secret_key",
            "",
            "Key that encrypts masterSecrets: 64 hex digits. Empty: DATA/secret.key, made at first start.",
            stored=True,
            secret=True,
        ),
        Setting("host", "127.0.0.1", "Address to listen on."),
        Setting("port", 8080, "Port to listen on. 0: any free port, printed at the start."),
        Setting("socket", "", "Unix socket to listen on instead of host and port."),
        Setting("workers", 1, "Number of server processes."),
        Setting("tls_cert", "", "Certificate chain (PEM); together with tls_key, enables HTTPS."),
        Setting("tls_key", "", "Private key of the certificate (PEM, PKCS#8)."),
        Setting(
            "stop_timeout", 30, "Seconds for requests in flight to finish (graceful shutdown).", worker=True
        ),
        Setting(
            "trusted_proxies",
            "",
            "Reverse proxies whose X-Forwarded-For is trusted: addresses or networks, comma separated.",
        ),
        Setting("body_timeout", 10, "Seconds without progress after which an upload times out."),
        Setting(
            "auth_failures",
            10,
            "Failed authentications per key and address before throttling.",
        ),
        Setting("auth_window", 60, "Seconds over which failed authentications are counted."),
        Setting("oidc_issuer", "", "Single sign-on: URL of an OpenID Connect provider."),
        Setting("oidc_client_id", "", "Client id of this server at the provider."),
        Setting("oidc_client_secret", "", "Client secret of this server at the provider.", secret=True),
        Setting("content_min", 2, "Minimum length of a signature, in characters."),
        Setting("content_max", 8, "Maximum length of a signature, in characters."),
        Setting("image_bytes", 2_097_152, "Maximum size of an image, in bytes."),
        Setting(
            "image_pixels",
            25_000_000,
            "Maximum number of pixels (width × height) of a colour image; others may have more.",
        ),
        Setting("submissions_a_day", 0, "Maximum submissions per application and day (UTC); 0: no limit."),
        Setting(
            "sweep_hours",
            6,
            "Hours between garbage collections of unreferenced images and old Idempotency-Keys; 0: never.",
        ),
        Setting("verify_hours", 1, "Hours between verifications of what changed in the ledger; 0: never."),
        Setting("deliver", 1, "1: the server delivers callbacks; 0: only `smsign worker` does."),
        Setting("callback_timeout", 10, "Timeout of a callback, in seconds.", worker=True),
        Setting(
            "callback_networks",
            "",
            "Private networks that callbacks may reach (SSRF allow list), comma separated.",
            worker=True,
        ),
        Setting("delivery_days", 30, "Days after which deliveries are removed; 0: never.", worker=True),
        Setting("log_format", "json", "json or text.", worker=True),
        Setting(
            "language", "en", "en or zh: the language of responses without Accept-Language.", worker=True
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
    "verify_hours": (0, 10_000),
    "deliver": (0, 1),
    "callback_timeout": (1, 60),
    "delivery_days": (0, 10_000),
}
_BOTH = ("set both, or neither", "须同时设置，或都不设置")
_CHOICES = {"log_format": ("json", "text"), "language": ("en", "zh")}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, validated. The fields are the rows of SETTINGS; derived values are properties."""

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
    verify_hours: int
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
        """Return the URL of the database, by default SQLite in the data folder."""
        return self.database or f"sqlite:{self.folder / 'smsign.db'}"

    @property
    def blobs_url(self) -> str:
        """Return the URL of the blob store, by default a folder in the data folder."""
        return self.blobs or f"file:{self.folder / 'blobs'}"

    @property
    def key_file(self) -> Path:
        """Return the path of the secret key."""
        return self.folder / "secret.key"

    @property
    def rules(self) -> Rules:
        """Return the limits of a submission."""
        return Rules(
            content_min=self.content_min,
            content_max=self.content_max,
            image_bytes=self.image_bytes,
            image_pixels=self.image_pixels,
            submissions_a_day=self.submissions_a_day,
        )


def load(flags: Mapping[str, str | int | None], env: Mapping[str, str] = os.environ) -> Settings:
    """Return the validated settings from all sources.

    Raises: SetupError that names the setting, the problem and the fix.
    """
    file = read_file(flags, env, str(SETTINGS["data"].default))
    if unknown := [name for name in file if name not in SETTINGS]:
        raise wrong(
            unknown[0],
            "not a setting; `smsign serve --help` lists them",
            "没有这项设置；`smsign serve --help` 列出全部",
        )
    values: dict[str, Any] = {}
    for name, setting in SETTINGS.items():
        given = flags.get(name)
        if given is None:
            given = env.get(setting.env)
        if given is None and setting.secret and (path := env.get(f"{setting.env}_FILE")):
            given = read_secret(f"{setting.env}_FILE", path)
        if given is None:
            given = file.get(name, setting.default)
        values[name] = _check(setting, given)
    settings = Settings(**values)
    if settings.content_min > settings.content_max:
        raise wrong(
            "content_min",
            "above content_max; lower one or raise the other",
            "大于 content_max；请调低它或调高后者",
        )
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise wrong("tls_cert, tls_key", *_BOTH)
    if bool(settings.oidc_issuer) != bool(settings.oidc_client_id):
        raise wrong("oidc_issuer, oidc_client_id", *_BOTH)
    if settings.oidc_issuer and not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", settings.oidc_issuer):
        raise wrong(
            "oidc_issuer",
            f"{settings.oidc_issuer!r} is not a URL that starts with https:// or http://",
            f"{settings.oidc_issuer!r} 不是以 https:// 或 http:// 开头的地址",
        )
    return settings


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(name: str, text: str) -> tuple[Network, ...]:
    """Return the networks in `text`, the comma separated value of the setting `name`.

    Raises: SetupError.
    """
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise wrong(name, str(error)) from error


def _check(setting: Setting, given: object) -> str | int:
    if isinstance(setting.default, str):
        text = str(given)
        if (choices := _CHOICES.get(setting.name)) and text not in choices:
            raise wrong(
                setting.name,
                f"{text!r} is not one of {', '.join(choices)}",
                f"{text!r} 不是 {'、'.join(choices)} 之一",
            )
        return text
    low, high = _BOUNDS[setting.name]
    try:
        number = int(str(given))
    except ValueError:
        raise wrong(setting.name, f"{given!r} is not a whole number", f"{given!r} 不是整数") from None
    if not low <= number <= high:
        raise wrong(
            setting.name, f"{number} is not between {low} and {high}", f"{number} 不在 {low} 与 {high} 之间"
        )
    return number
