"""`smsign import` on a running server: each row is submitted once, also after interruptions."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.api.raw import rows
from tests.cli.conftest import Shell, write_csv
from tests.images import noise
from tests.running import Server

pytestmark = [
    pytest.mark.process,
    pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True),
]

SUBMITTED = """
    SELECT signature.id, content FROM signature JOIN app ON app.id = app_id WHERE app_key = $1
    ORDER BY signature.id
"""


def _report(file: Path) -> list[dict[str, str]]:
    with file.with_name(f"{file.name}.report.csv").open(encoding="utf-8-sig", newline="") as text:
        return list(csv.DictReader(text))


def _contents(server: Server, shell: Shell) -> list[str]:
    return [content for _, content in rows(server, SUBMITTED, shell.env["SMSIGN_APP_KEY"])]


def _ids(server: Server, shell: Shell) -> list[int]:
    return [number for number, _ in rows(server, SUBMITTED, shell.env["SMSIGN_APP_KEY"])]


def test_rows_are_submitted_in_order_and_errors_are_reported(
    server: Server, test_shell: Callable[..., Shell], tmp_path: Path
) -> None:
    shell = test_shell()
    images = tmp_path / "images"
    (images / "a").mkdir(parents=True)
    (images / "a" / "证照.png").write_bytes(noise())
    (tmp_path / "secret.png").write_bytes(noise())
    (images / "link.png").symlink_to(tmp_path / "secret.png")
    file = write_csv(
        tmp_path / "rows.csv",
        "sign,remark,image0,idCardImage",
        "极光推送,官网,a/证照.png,a\\证照.png",
        "测试模糊,,,",
        "【坏】,,,",
        "越界一,,../secret.png,",
        "越界二,,link.png,",
        f"越界三,,{tmp_path / 'secret.png'},",
        "缺图,,none.png,",
        ",,,",
        "第二个,,,",
        "  ,x,,",
    )
    done = shell.run("import", "rows.csv", "--images", "images", "--json")
    assert done.returncode == 1, done.stderr
    counts = json.loads(done.stdout)
    assert {name: counts[name] for name in ("rows", "passed", "failed", "left")} == {
        "rows": 9,
        "passed": 2,
        "failed": 7,
        "left": 0,
    }
    assert _contents(server, shell) == ["极光推送", "测试模糊", "第二个"]
    errors = {each["line"]: each for each in _report(file)}
    assert set(errors) == {"3", "4", "5", "6", "7", "8", "11"}
    assert (errors["3"]["outcome"], errors["3"]["sign_id"].isdigit()) == ("refused", True)
    assert (errors["4"]["code"], errors["4"]["field"]) == ("50104", "sign")
    for line in ("5", "6", "7"):
        assert "outside of the folder" in errors[line]["reason"]
    assert "No such file" in errors["8"]["reason"]
    assert (errors["11"]["field"], errors["11"]["reason"]) == ("sign", "empty")


def test_a_second_run_submits_only_corrected_and_added_rows(
    server: Server, test_shell: Callable[..., Shell], tmp_path: Path
) -> None:
    shell = test_shell()
    file = write_csv(tmp_path / "rows.csv", "sign", "极光推送", "【坏】", "测试模糊")
    assert shell.run("import", "rows.csv").returncode == 1
    assert shell.run("import", "rows.csv").returncode == 1
    assert _contents(server, shell) == ["极光推送", "测试模糊"]
    write_csv(file, "sign", "新的行", "极光推送", "极光推送", "好的")
    done = shell.run("import", "rows.csv")
    assert (done.returncode, done.stdout) == (0, "4 rows, 4 passed\n")
    assert _contents(server, shell) == ["极光推送", "测试模糊", "新的行", "极光推送", "好的"]
    assert _report(file) == []


def test_no_wait_submits_one_row_per_run(server: Server, shell: Shell, tmp_path: Path) -> None:
    write_csv(tmp_path / "rows.csv", "sign", "第一", "第二")
    first = shell.json("import", "rows.csv", "--no-wait", code=3)
    assert (first["waiting"], first["left"]) == (1, 1)
    [sign_id] = _ids(server, shell)
    server.decide(sign_id, passed=True)
    second = shell.json("import", "rows.csv", "--no-wait")
    assert (second["passed"], second["waiting"], second["left"]) == (1, 1, 0)
    late = shell.json("import", "rows.csv", "--timeout", "0.1", code=3)
    assert (late["passed"], late["left"]) == (1, 1)
    shell.run("sign", "delete", str(_ids(server, shell)[-1]))
    gone = shell.json("import", "rows.csv", code=1)
    assert (gone["passed"], gone["failed"]) == (1, 1)
    assert _contents(server, shell) == ["第一", "第二"]


def test_an_import_waits_for_other_signatures(server: Server, shell: Shell, tmp_path: Path) -> None:
    other = shell.json("sign", "submit", "别的")["sign_id"]
    write_csv(tmp_path / "rows.csv", "sign", "第一")
    process = shell.start("import", "rows.csv")
    assert process.stderr is not None
    assert process.stderr.readline() == "line 2: waiting for the signature in the audit\n"
    server.decide(other, passed=True)
    deadline = time.monotonic() + 30
    while len(ids := _ids(server, shell)) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    server.decide(ids[-1], passed=True)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "1 rows, 1 passed\n"), err


def test_a_second_import_of_the_same_file_is_locked_out(shell: Shell, tmp_path: Path) -> None:
    write_csv(tmp_path / "rows.csv", "sign", "第一")
    process = shell.start("import", "rows.csv")
    deadline = time.monotonic() + 20
    while not (tmp_path / "rows.csv.journal").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    second = shell.run("import", "rows.csv")
    assert (second.returncode, "another import" in second.stderr) == (2, True)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert "Traceback" not in process.communicate()[1]
    assert (tmp_path / "rows.csv.report.csv").exists()


def test_only_a_regular_file_is_imported(shell: Shell) -> None:
    done = shell.run("import", "/dev/stdin", stdin="sign\n第一\n")
    assert (done.returncode, "the journal is stored next to it" in done.stderr) == (2, True)
    assert not Path("/dev/stdin.journal").exists()


@pytest.mark.slow
def test_an_import_killed_twice_submits_each_row_exactly_once(
    server: Server, test_shell: Callable[..., Shell], tmp_path: Path
) -> None:
    shell = test_shell()
    (tmp_path / "images").mkdir()
    for number in range(5):
        (tmp_path / "images" / f"{number}.png").write_bytes(noise(seed=number))
    contents = [f"签名{number:03}" for number in range(300)]
    write_csv(
        tmp_path / "rows.csv",
        "sign,image0",
        *(f"{content},{number % 5}.png" for number, content in enumerate(contents)),
    )
    for at_least in (60, 160):
        process = shell.start("import", "rows.csv", "--images", "images")
        while len(_contents(server, shell)) < at_least:
            assert process.poll() is None, process.communicate()
            time.sleep(0.01 + random.random() * 0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    done = shell.json("import", "rows.csv", "--pictures", "images")  # the old name of --images
    assert (done["rows"], done["passed"], done["failed"]) == (300, 300, 0)
    assert _contents(server, shell) == contents


def test_an_interrupted_row_is_resubmitted_with_the_same_idempotency_key(
    server: Server, test_shell: Callable[..., Shell], tmp_path: Path
) -> None:
    """A crash after the create, before the journal has its sign_id."""
    shell = test_shell()
    write_csv(tmp_path / "rows.csv", "sign", "第一", "第二")
    journal = tmp_path / "rows.csv.journal"
    assert shell.run("import", "rows.csv").returncode == 0
    lines = [line for line in journal.read_bytes().splitlines(keepends=True) if b'"submitting"' in line]
    assert len(lines) == 2
    journal.write_bytes(lines[0] + lines[1] + b'{"key":"imp')
    assert shell.run("import", "rows.csv").returncode == 0
    assert _contents(server, shell) == ["第一", "第二"]


def test_an_export_is_imported_without_doubling(
    server: Server, test_shell: Callable[..., Shell], tmp_path: Path
) -> None:
    shell = test_shell()
    write_csv(tmp_path / "rows.csv", "签名,备注,类型", "极光推送,=官网,1", "第二个,,2")
    assert shell.run("import", "rows.csv").returncode == 0
    assert shell.run("export", "--excel", "-o", "all.csv").returncode == 0
    with (tmp_path / "all.csv").open(encoding="utf-8-sig", newline="") as text:
        exported = [(each["sign"], each["remark"], each["type"]) for each in csv.DictReader(text)]
    assert exported == [("第二个", "", "2"), ("极光推送", "'=官网", "1")]
    again = shell.json("import", "all.csv")
    assert (again["rows"], again["skipped"], again["passed"]) == (2, 2, 0)
    write_csv(tmp_path / "more.csv", "sign", "极光推送", "新的")
    more = shell.json("import", "more.csv", "--skip-existing")
    assert (more["skipped"], more["passed"]) == (1, 1)
    assert _contents(server, shell) == ["极光推送", "第二个", "新的"]


@pytest.mark.parametrize(
    ("answers", "code", "submitted"), [(("y",), 0, ["极光推送", "验证码"]), (("n", "n", "n"), 2, [])]
)
def test_the_names_of_a_file_that_is_not_utf8_are_confirmed_on_the_terminal(
    server: Server,
    test_shell: Callable[..., Shell],
    tmp_path: Path,
    answers: tuple[str, ...],
    code: int,
    submitted: list[str],
) -> None:
    shell = test_shell()
    write_csv(tmp_path / "rows.csv", "签名", "极光推送", "验证码", encoding="gbk")
    done, shown = shell.run_on_a_terminal("import", "rows.csv", answers=answers)
    assert (done, "--encoding gbk: 极光推送、验证码\nAre these names right? [y/N]: " in shown) == (
        code,
        True,
    ), shown
    assert _contents(server, shell) == submitted
