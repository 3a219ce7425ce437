"""Profiles: their file, its permissions, and which profile a command uses."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest

from smsign.cli.integrator import profiles
from smsign.cli.integrator.profiles import Config, Profile
from smsign.errors import SetupError
from tests.cli.conftest import Shell
from tests.running import Server

pytestmark = pytest.mark.process

KEY, SECRET = "a" * 24, "b" * 24


@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_a_profile_is_added_used_and_removed(server: Server, tmp_path: Path) -> None:
    key, other = server.make_apps(2)
    shell = Shell(tmp_path)
    for name, each in (("work", key), ("other", other)):
        added = shell.run(
            "profile", "add", name, "--url", server.url, "--app-key", each.app_key, stdin=each.master_secret
        )
        assert added.returncode == 0, added.stderr
    file = tmp_path / ".config" / "smsign" / "config.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    sign_id = shell.json("sign", "submit", "极光推送")["sign_id"]
    assert shell.json("sign", "get", str(sign_id), "--profile", "work")["sign"] == "极光推送"
    assert shell.json("sign", "get", str(sign_id), "--profile", "other", code=1)["error"]["code"] == 50102
    shell.env["SMSIGN_PROFILE"] = "other"
    assert shell.run("sign", "get", str(sign_id)).returncode == 1
    del shell.env["SMSIGN_PROFILE"]
    assert shell.run("profile", "use", "other").returncode == 0
    assert shell.run("sign", "get", str(sign_id)).returncode == 1
    listed = shell.run("profile", "list")
    assert key.app_key in listed.stdout
    assert key.master_secret not in listed.stdout + str(shell.json("profile", "list"))
    assert [each["name"] for each in shell.json("profile", "remove", "other")] == ["work"]
    assert tomllib.loads(file.read_text())["default"] == "work"
    assert shell.run("profile", "use", "other").returncode == 1
    assert shell.run("profile", "add", "a b", "--url", server.url, "--app-key", KEY).returncode == 2
    assert shell.run("profile", "add", "x", "--url", server.url, "--app-key", KEY).returncode == 2
    file.chmod(0o644)
    warned = shell.run("sign", "get", str(sign_id))
    assert (warned.returncode, f"chmod 600 {file}" in warned.stderr) == (0, True)


def test_a_config_with_special_characters_is_read_back(tmp_path: Path) -> None:
    config = Config(
        default='极"光\\', profile={'极"光\\': Profile(url="http://x/\x7f\n", app_key="é", master_secret="")}
    )
    file = tmp_path / "deep" / "config.toml"
    profiles.save(file, config)
    assert profiles.load(file) == config
    assert not list(file.parent.glob(".*"))


def test_a_symbolic_link_to_the_config_is_kept(tmp_path: Path) -> None:
    link = tmp_path / "config.toml"
    link.symlink_to("linked.toml")
    profiles.save(link, Config(default="a", profile={"a": Profile(url="http://x")}))
    assert link.is_symlink()
    assert profiles.load(tmp_path / "linked.toml").default == "a"


def test_an_invalid_config_file_is_named_in_the_error(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    for text in ("default = ", "colour = 'red'", "profile = 3"):
        file.write_text(text)
        with pytest.raises(SetupError, match=r"config\.toml"):
            profiles.load(file)
    assert profiles.load(tmp_path / "none.toml") == Config()


def test_the_named_profile_precedes_the_environment_and_the_default() -> None:
    config = Config(
        default="one",
        profile={
            "one": Profile(url="https://one", app_key="k1", master_secret="s1"),
            "bare": Profile(url="https://bare", app_key="k2"),
        },
    )
    env = {"SMSIGN_URL": "https://env", "SMSIGN_APP_KEY": "k3", "SMSIGN_MASTER_SECRET": "s3"}
    assert profiles.choose(config, "one", env).app_key == "k1"
    assert profiles.choose(config, None, env) == Profile(url="https://env", app_key="k3", master_secret="s3")
    assert profiles.choose(config, None, {}).url == "https://one"
    assert profiles.choose(config, "bare", {"SMSIGN_MASTER_SECRET": "s2"}).master_secret == "s2"
    elsewhere = profiles.choose(config, None, {"SMSIGN_URL": "https://staging", "SMSIGN_MASTER_SECRET": "s9"})
    assert elsewhere == Profile(url="https://staging", app_key="k1", master_secret="s1")


def test_key_and_secret_come_from_the_same_source() -> None:
    config = Config(default="one", profile={"one": Profile(url="u", app_key="k1", master_secret="s1")})
    with pytest.raises(SetupError, match="SMSIGN_MASTER_SECRET not set"):
        profiles.choose(config, None, {"SMSIGN_APP_KEY": "k3"})


def test_missing_settings_are_named_in_the_error() -> None:
    with pytest.raises(SetupError, match=r"^SMSIGN_URL, SMSIGN_APP_KEY, SMSIGN_MASTER_SECRET not set; .*add"):
        profiles.choose(Config(), None, {})
    with pytest.raises(SetupError, match="unknown profile 'none'; known profiles: none"):
        profiles.choose(Config(), "none", {})


def test_xdg_config_home_is_respected() -> None:
    assert profiles.path({"XDG_CONFIG_HOME": "/x", "HOME": "/h"}) == Path("/x/smsign/config.toml")
    assert profiles.path({"HOME": "/h"}) == Path("/h/.config/smsign/config.toml")
