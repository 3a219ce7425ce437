"""The wheel in empty virtual environments: the light install, the server, and the size of both."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import msgspec
import pytest

from smsign import __version__
from smsign.cli import COMMANDS
from tests.client.test_python_versions import SCENARIO
from tests.docs.pages import DOCS, LANGUAGES, ROOT, Walk, blocks
from tests.running import Server, free_port

pytestmark = pytest.mark.whole_file

DIFFERENCE = 0.15
"""How far the numbers in the documentation may be from the measured ones."""
SIZES = re.compile(r"light: (\d+) packages, (\d+) MB; server: (\d+) packages, (\d+) MB")


class Install(msgspec.Struct, frozen=True):
    """A virtual environment with smsign."""

    folder: Path

    def run(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run `smsign …` without any other environment."""
        env |= {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8"}
        return subprocess.run(
            [self.folder / "bin" / "smsign", *arguments],
            env=env,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def size(self) -> tuple[int, float]:
        """Return (packages, MB), without bytecode caches."""
        [site] = self.folder.glob("lib/python*/site-packages")
        files = [path for path in site.rglob("*") if path.is_file() and path.suffix != ".pyc"]
        return len(list(site.glob("*.dist-info"))), sum(path.stat().st_size for path in files) / 1e6


def _pip(python: Path, *arguments: str) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "-q",
        "--no-compile",
        *arguments,
    ]
    subprocess.run(command, check=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sdist, which is built from the tree."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "-q", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    assert (folder / f"smsign-{__version__}.tar.gz").exists()
    return folder / f"smsign-{__version__}-py3-none-any.whl"


def _install(folder: Path, wheel: Path, pins: str, extra: str) -> Install:
    """Install the pinned packages, then the wheel without an index: its requirements must be met by them."""
    venv.create(folder)
    python = folder / "bin" / "python"
    _pip(python, "--require-hashes", "-r", str(ROOT / "requirements" / pins))
    _pip(python, "--no-index", f"{wheel}{extra}")
    return Install(folder)


@pytest.fixture(scope="module")
def light(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Install:
    return _install(tmp_path_factory.mktemp("light"), wheel, "client.txt", "")


@pytest.fixture(scope="module")
def full(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Install:
    return _install(tmp_path_factory.mktemp("full"), wheel, "run.txt", "[server]")


def test_the_light_install_has_help_completion_and_the_integrators_commands(light: Install) -> None:
    assert light.run("--version").stdout == f"smsign, version {__version__}\n"
    for arguments in (("--help",), ("sign", "--help"), ("import", "--help"), ("completion", "bash")):
        assert light.run(*arguments).returncode == 0, arguments
    assert light.run("profile", "list").returncode == 0
    words = {"_SMSIGN_COMPLETE": "bash_complete", "COMP_WORDS": "smsign serve --", "COMP_CWORD": "2"}
    assert light.run(**words).stderr == ""


@pytest.mark.parametrize("name", [name for name, (module, _) in COMMANDS.items() if ".operator." in module])
def test_a_server_command_of_the_light_install_names_the_extra(light: Install, name: str) -> None:
    done = light.run(name)
    expected = f"smsign: {name} needs the server; install it: pip install 'smsign[server]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)


def test_the_light_install_submits_to_an_installed_server(
    light: Install, full: Install, tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text("sign\n极光推送\n测试模糊\n")
    command = [str(full.folder / "bin" / "smsign"), "serve", "--test", "--port", str(free_port())]
    with subprocess.Popen(
        command, env={"PATH": os.environ["PATH"]}, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        keys = dict(server.stdout.readline().strip().split("=", 1) for _ in range(3))
        assert light.run("sign", "submit", "测试通过", "--wait", **keys).returncode == 0
        assert light.run("import", str(tmp_path / "rows.csv"), **keys).returncode == 1
        exported = light.run("export", **keys).stdout
        server.terminate()
    contents = [line.split(",")[1] for line in exported.splitlines()]
    assert contents == ["sign", "测试模糊", "极光推送", "测试通过"]


@pytest.fixture
def older_python() -> str:
    """The oldest Python that the SDK supports, or another one that the server does not, if there is one."""
    for version in ("3.9", "3.10"):
        if command := shutil.which(f"python{version}"):
            env = os.environ | {"PYENV_VERSION": version}  # pyenv's commands fail without it
            program = [command, "-c", "import sys; print(sys.executable)"]
            done = subprocess.run(program, env=env, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return done.stdout.strip()
    pytest.skip("there is no Python 3.9 or 3.10")


def test_an_older_python_has_the_sdk_and_a_clear_error_for_commands(
    older_python: str, wheel: Path, tmp_path: Path
) -> None:
    subprocess.run([older_python, "-m", "venv", tmp_path / "venv"], check=True)
    python = str(tmp_path / "venv/bin/python")
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", ROOT / "requirements/client.txt"], check=True)
    subprocess.run([*pip, "--no-index", f"{wheel}[server]"], check=True)
    done = Install(tmp_path / "venv").run("serve", "--test")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("smsign: the commands and the server need Python 3.11 or newer")
    with Server(tmp_path, port=free_port()) as server:
        keys = server.json("app", "create", "old", "--test")
        env = {
            "SMSIGN_URL": server.url,
            "SMSIGN_APP_KEY": keys["app_key"],
            "SMSIGN_MASTER_SECRET": keys["master_secret"],
        }
        subprocess.run([python, "-W", "error", SCENARIO], env=env, check=True)


def test_no_file_names_a_package_registry() -> None:
    """Packages come from where the machine is set up to get them."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    hosts = re.compile(rb"npmjs\.|pypi\.org|pythonhosted\.")
    for name in filter(None, listed.stdout.split("\0")):
        assert not (ROOT / name).is_file() or not hosts.search((ROOT / name).read_bytes()), name


def test_the_pinned_packages_of_the_sdk_are_those_of_the_server() -> None:
    """For the versions of Python that have both."""
    server, sdk = (
        re.findall(r"(?m)^([\w-]+==[\w.]+)(.*)", (ROOT / "requirements" / name).read_text("utf-8"))
        for name in ("run.txt", "client.txt")
    )
    old = re.compile(r"python_full_version (< '3\.1[01]'|== '3\.10)")
    assert {pin for pin, marker in sdk if not old.search(marker)} <= {pin for pin, _ in server}


def test_the_tutorial_runs_with_the_installed_server(full: Install, tmp_path: Path) -> None:
    """The contract's lines against `smsign serve --demo`, among others."""
    page = blocks("en", "tutorial.md")
    assert "smsign serve --demo\n" in [block.text for block in page if block.special == "serve"]
    with Walk(tmp_path) as walk:
        del walk.env["PYTHONPATH"]
        for name in ("smsign", "python", "python3"):
            (tmp_path / "bin" / name).unlink()
            (tmp_path / "bin" / name).symlink_to(full.folder / "bin" / name)
        assert walk.go(page)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_documentation_has_the_sizes_of_both(light: Install, full: Install, language: str) -> None:
    measured = [*light.size(), *full.size()]
    found = SIZES.search((DOCS / language / "how-to" / "install.md").read_text("utf-8"))
    assert found, "no sizes in how-to/install.md"
    assert [float(number) for number in found.groups()] == pytest.approx(measured, rel=DIFFERENCE), measured
