"""The command `smsign doctor`: beside a running server, and what it reports of the environment."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from smsign import config
from smsign.cli.integrator.profiles import VARIABLES
from smsign.cli.operator.doctor import check_environment
from tests.images import noise
from tests.running import Server

pytestmark = pytest.mark.process


def test_ineffective_environment_variables_are_named(tmp_path: Path) -> None:
    env = {
        "SMSIGN_DATABSE": "x",
        "SMSIGN_FROBNICATE": "1",
        "SMSIGN_DATABASE": "a",
        "SMSIGN_DATABASE_FILE": "b",
        "SMSIGN_PORT_FILE": "c",
        "SMSIGN_SOCKET": "s",
        "SMSIGN_HOST": "h",
        "SMSIGN_TLS_KEY": str(tmp_path / "none"),
        "SMSIGN_OIDC_ISSUER": "https://people.example",
        "SMSIGN_CONFIG": "c",
        "PATH": "p",
    }
    problems = {what.en: fix.en for what, fix in check_environment(env)}
    assert problems["SMSIGN_DATABSE is not a setting"] == "did you mean SMSIGN_DATABASE?"
    assert len(problems) == 7
    assert check_environment({setting.env: "" for setting in config.SETTINGS.values()}) == []
    assert check_environment(dict.fromkeys(VARIABLES, "x")) == []


@pytest.mark.slow
def test_doctor_runs_while_the_server_runs(start: Callable[..., Server]) -> None:
    server = start()
    app = server.make_app()
    files: dict[str, Any] = {"sign": (None, "极光推送"), "image0": ("a.png", noise())}
    assert httpx.post(f"{server.url}/v1/sign", auth=app.auth, files=files).status_code == 200
    server.data.chmod(0o700)
    report = server.json("doctor")
    assert report["well"]
    wrong = [finding for finding in report["findings"] if finding["state"] == "wrong"]
    assert wrong == []
    for file in (server.data / "blobs").rglob("*"):
        if re.fullmatch("[0-9a-f]{64}", file.name):
            file.unlink()
    env = server.env | {"SMSIGN_LANGUGE": "zh"}
    done = subprocess.run(
        [sys.executable, "-m", "smsign.cli", "doctor"], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "did you mean SMSIGN_LANGUAGE?" in done.stdout
    assert "referenced by rows are missing" in done.stdout
    nowhere = subprocess.run(
        [sys.executable, "-m", "smsign.cli", "doctor", "--data", str(server.data / "none"), "--json"],
        env={"PATH": server.env["PATH"], "PYTHONPATH": server.env["PYTHONPATH"]},
        capture_output=True,
        check=False,
    )
    assert nowhere.returncode == 1
    assert json.loads(nowhere.stdout)["well"] is False
