"""Settings: where they come from, and how an invalid one is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsign import config
from smsign.errors import SetupError


def test_a_flag_overrides_the_environment_and_that_overrides_the_file(tmp_path: Path) -> None:
    (tmp_path / "smsign.toml").write_text('port = 1001\nworkers = 3\nlanguage = "zh"\n')
    env = {"SMSIGN_DATA": str(tmp_path), "SMSIGN_PORT": "1002", "SMSIGN_WORKERS": "4"}
    settings = config.load({"port": 1003, "data": None}, env)
    assert (settings.port, settings.workers, settings.language) == (1003, 4, "zh")


def test_a_secret_setting_can_be_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("ab" * 32 + "\n")
    assert config.load({}, {"SMSIGN_SECRET_KEY_FILE": str(tmp_path / "key")}).secret_key == "ab" * 32


@pytest.mark.parametrize("data", [b"", b" \n", b"\xff\xfe hunter2"])
def test_an_invalid_secret_file_is_named_in_the_error_but_not_quoted(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    for name in ("SMSIGN_DATABASE_FILE", "SMSIGN_SECRET_KEY_FILE"):
        with pytest.raises(SetupError, match=f"^{name}: .*file is (empty|not UTF-8 text)") as error:
            config.load({}, {name: str(tmp_path / "file")})
        assert "hunter2" not in str(error.value)


def test_the_settings_file_may_start_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "smsign.toml").write_text("port = 1001\n", "utf-8-sig")
    assert config.load({"data": str(tmp_path)}, {}).port == 1001


@pytest.mark.parametrize(
    "env",
    [
        {"SMSIGN_PORT": "http"},
        {"SMSIGN_PORT": "-1"},
        {"SMSIGN_LANGUAGE": "fr"},
        {"SMSIGN_CONTENT_MIN": "9"},
        {"SMSIGN_TLS_CERT": "cert.pem"},
        {"SMSIGN_CONFIG": "/none/such.toml"},
        {"SMSIGN_SECRET_KEY_FILE": "/none/such"},
        {"SMSIGN_OIDC_ISSUER": "people.example", "SMSIGN_OIDC_CLIENT_ID": "smsign"},
        {"SMSIGN_OIDC_ISSUER": "ftp://people.example", "SMSIGN_OIDC_CLIENT_ID": "smsign"},
        {"SMSIGN_OIDC_ISSUER": "https://", "SMSIGN_OIDC_CLIENT_ID": "smsign"},
    ],
)
def test_an_invalid_setting_is_named_in_the_error(env: dict[str, str]) -> None:
    with pytest.raises(SetupError) as error:
        config.load({}, env)
    assert next(iter(env)).removeprefix("SMSIGN_").removesuffix("_FILE").lower() in str(error.value).lower()


def test_an_unknown_setting_in_the_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "smsign.toml").write_text("prot = 1")
    with pytest.raises(SetupError, match="prot"):
        config.load({"data": str(tmp_path)}, {})
