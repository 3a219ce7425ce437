"""The files of `deploy/`, as far as they can be checked without Docker and without a running systemd."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import httpx
import pytest
import yaml  # type: ignore[import-untyped]

from smsign.config import SETTINGS
from tests.running import free_port

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
KNOWN = {setting.env for setting in SETTINGS.values()} | {
    f"{setting.env}_FILE" for setting in SETTINGS.values() if setting.secret
}


def _instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile as (instruction, rest), lines that are continued joined."""
    text = (DEPLOY / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def test_every_variable_in_deploy_is_a_setting() -> None:
    for file in sorted(DEPLOY.iterdir()):
        named = set(re.findall(r"\bSMSIGN_[A-Z_]+\b", file.read_text("utf-8")))
        assert named <= KNOWN, file


def test_the_compose_file_is_consistent() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    services, volumes = compose["services"], set(compose["volumes"])
    assert services.keys() == {"server", "database", "images"}
    wanted, used = set(), set()
    for service in services.values():
        assert service.get("depends_on", {}).keys() <= services.keys()
        assert re.fullmatch(r"([a-z]+/)?[a-z]+:[a-z0-9]+", service.get("image", "x:1")), (
            "no registry is named"
        )
        used |= {volume.split(":")[0] for volume in service["volumes"]}
        wanted |= {
            name
            for value in service["environment"].values()
            for name in re.findall(r"\$\{([A-Z_0-9]+)", value)
        }
    assert used == volumes
    server = services["server"]
    assert (DEPLOY / server["build"]["context"] / server["build"]["dockerfile"]).samefile(
        DEPLOY / "Dockerfile"
    )
    assert "@database/" in server["environment"]["SMSIGN_DATABASE"]
    offered = re.findall(r"^([A-Z_0-9]+)=$", (DEPLOY / "env.example").read_text("utf-8"), re.MULTILINE)
    assert wanted == set(offered)
    grace_s = int(server["stop_grace_period"].removesuffix("s"))
    assert grace_s > int(SETTINGS["stop_timeout"].default)


def test_the_image_runs_as_an_unprivileged_user_and_contains_only_what_it_copies() -> None:
    steps = _instructions()
    users = [rest for name, rest in steps if name == "USER"]
    assert users == ["smsign"]
    last_root = max(n for n, (name, _) in enumerate(steps) if name == "RUN")
    assert last_root < next(n for n, (name, _) in enumerate(steps) if name == "USER")
    copied = {path for name, rest in steps if name == "COPY" for path in rest.split()[:-1]}
    let_in = {
        line.removeprefix("!")
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
        if line.startswith("!")
    }
    assert copied == let_in
    assert all((ROOT / path).exists() for path in copied)


@pytest.mark.process
def test_the_commands_of_the_dockerfile_start_a_healthy_server(tmp_path: Path) -> None:
    image, data = tmp_path / "image", tmp_path / "data"
    image.mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith("SMSIGN_")}
    for name, rest in _instructions():
        if name == "COPY":
            source, target = rest.split()
            target = target + Path(source).name if target.endswith("/") else target
            (image / target).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
            copy(ROOT / source, image / target)
        elif name == "RUN" and not rest.startswith("useradd"):
            make, _, install = rest.partition(" && ")
            if "pip install" in install:  # the command of `make setup`; here the tests' packages are reused
                assert install.endswith("--require-hashes -r requirements/run.txt")
                rest = f"{make} --without-pip"
            subprocess.run(["sh", "-euc", rest], cwd=image, env=env, check=True, capture_output=True)
            if "pip install" in install:
                [site] = (image / ".venv" / "lib").glob("python*/site-packages")
                (site / "packages.pth").write_text(sysconfig.get_path("purelib"))
        elif name == "ENV":
            pairs = (pair.split("=", 1) for pair in rest.split())
            env |= {key: value.replace("$PATH", env["PATH"]) for key, value in pairs}
    health = next(rest for name, rest in _instructions() if name == "HEALTHCHECK")
    command = json.loads(health[health.index("[") :])
    env |= {
        "PATH": env["PATH"].replace("/opt/smsign", str(image)),
        "SMSIGN_DATA": str(data),
        "SMSIGN_HOST": "127.0.0.1",
        "SMSIGN_PORT": str(free_port()),
    }
    entry = [json.loads(rest) for name, rest in _instructions() if name in ("ENTRYPOINT", "CMD")]
    assert subprocess.run(command, env=env, capture_output=True, check=False).returncode != 0, "not yet"
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen([*entry[0], *entry[1]], env=env, cwd="/", stdout=log, stderr=log)
    try:
        for _ in range(100):
            if subprocess.run(command, env=env, capture_output=True, check=False).returncode == 0:
                break
            assert server.poll() is None, (tmp_path / "log").read_text()
        assert httpx.get(f"http://127.0.0.1:{env['SMSIGN_PORT']}/healthz").status_code == 200
    finally:
        server.terminate()
        assert server.wait(timeout=40) == 0


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
def test_systemd_accepts_the_unit_and_rates_it_as_hardened(tmp_path: Path) -> None:
    text = (DEPLOY / "smsign.service").read_text("utf-8")
    command = tmp_path / "smsign"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    unit = tmp_path / "smsign.service"
    unit.write_text(text.replace("/opt/smsign/.venv/bin/smsign serve", str(command)))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "smsign.service:" not in done.stderr, "systemd knows every line"
    safe = ["systemd-analyze", "security", "--offline=true", "--threshold=25", str(unit)]
    judged = subprocess.run(safe, capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout[-300:]
    assert "\nStartLimitIntervalSec=0\n" in text.partition("[Service]")[0], (
        "it restarts until its database is there"
    )
    stop_s = int(re.findall(r"^TimeoutStopSec=(\d+)", text, re.MULTILINE)[0])
    assert stop_s > int(SETTINGS["stop_timeout"].default)
