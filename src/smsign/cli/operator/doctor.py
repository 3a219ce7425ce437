"""`smsign doctor`: diagnose an installation."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping

import click
from rich.text import Text as Styled

from smsign.actions.doctor.diagnose import diagnose
from smsign.actions.doctor.finding import OK, WARNING, WRONG, Finding, Installation
from smsign.cli.integrator.profiles import VARIABLES
from smsign.cli.language import language, word
from smsign.cli.options import now, with_settings
from smsign.cli.output import progress_bar, show_json, show_table
from smsign.config import SETTINGS, Settings
from smsign.errors import Text

_STYLES = {OK: "green", WARNING: "yellow", WRONG: "bold red"}
_NO_PROBLEM = ("no unknown or conflicting environment variables", "没有未知或冲突的环境变量")
_REMOVE_IT = Text("remove it", "请删除")
_REMOVE_ONE = Text("remove one of them", "请删除其中之一")


@click.command()
@click.option("--deep", is_flag=True, help="Read all images and compare them with their hashes too.")
@with_settings
async def doctor(settings: Settings, *, deep: bool, as_json: bool) -> None:
    """Diagnose the installation and suggest fixes; read-only.

    Checks settings, permissions, disk, clock, schema, secret key, integrity of the database, ledger, outbox
    and images. The server may run meanwhile. Exits with 1 if anything is wrong, not for warnings alone.
    """
    installation = Installation(
        folder=settings.folder,
        database_url=settings.database_url,
        blobs_url=settings.blobs_url,
        key=settings.secret_key,
        key_file=settings.key_file,
        now=now(),
        deep=deep,
    )
    found = [Finding("settings", WARNING, what, fix) for what, fix in check_environment(os.environ)]
    found = found or [Finding("settings", OK, Text(*_NO_PROBLEM))]
    with progress_bar() as progress:
        found += [finding async for finding in diagnose(installation, progress)]
    if as_json:
        show_json(
            {
                "well": all(each.state != WRONG for each in found),
                "findings": [_public(each) for each in found],
            }
        )
    else:
        show_table(
            ["", "check", "result", "fix"],
            [
                [_state(each), word(each.check), each.what.to(language()), each.fix.to(language())]
                for each in found
            ],
            empty="",
        )
    if any(finding.state == WRONG for finding in found):
        sys.exit(1)


def _state(found: Finding) -> Styled:
    return Styled(word(found.state), _STYLES[found.state])


def _public(found: Finding) -> dict[str, str]:
    what, fix = found.what.to(language()), found.fix.to(language())
    return {"check": found.check, "state": found.state, "what": what, "fix": fix}


def check_environment(env: Mapping[str, str]) -> list[tuple[Text, Text]]:
    """Return (problem, fix) of environment variables that are unknown, ignored, or in conflict."""
    known = {setting.env for setting in SETTINGS.values()} | {"SMSIGN_CONFIG", "SMSIGN_TEST", *VARIABLES}
    known |= {f"{setting.env}_FILE" for setting in SETTINGS.values() if setting.secret}
    found = []
    for name in sorted(name for name in env if name.startswith("SMSIGN_")):
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            fix = Text(f"did you mean {close[0]}?", f"是否为 {close[0]}？") if close else _REMOVE_IT
            found.append((Text(f"{name} is not a setting", f"没有 {name} 这项设置"), fix))
        elif f"{name}_FILE" in env:
            what = Text(f"{name} is set, so {name}_FILE is ignored", f"已设置 {name}，因此 {name}_FILE 无效")
            found.append((what, _REMOVE_ONE))
    if env.get("SMSIGN_SOCKET") and ("SMSIGN_HOST" in env or "SMSIGN_PORT" in env):
        what = Text(
            "SMSIGN_SOCKET is set, so host and port are ignored",
            "已设置 SMSIGN_SOCKET，因此 host 与 port 无效",
        )
        found.append((what, _REMOVE_ONE))
    for name in ("SMSIGN_TLS_CERT", "SMSIGN_TLS_KEY"):
        if (path := env.get(name)) and not os.access(path, os.R_OK):
            what = Text(f"{name}: {path} cannot be read", f"{name}：无法读取 {path}")
            found.append((what, Text("make it readable for the server's user", "让服务器的用户可以读取")))
    if env.get("SMSIGN_OIDC_ISSUER") and not any(
        env.get(name) for name in ("SMSIGN_OIDC_CLIENT_SECRET", "SMSIGN_OIDC_CLIENT_SECRET_FILE")
    ):
        what = Text(
            "SMSIGN_OIDC_ISSUER is set without a client secret", "设置了 SMSIGN_OIDC_ISSUER，但没有客户端密钥"
        )
        fix = Text("set SMSIGN_OIDC_CLIENT_SECRET", "设置 SMSIGN_OIDC_CLIENT_SECRET")
        found.append((what, fix))
    return found
