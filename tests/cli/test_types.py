"""The types of a signature: a number or a word is read, both are shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from smsign.cli import types
from smsign.domain.signatures import TYPES
from tests.cli.conftest import Shell, write_csv
from tests.running import Server


def test_a_type_is_found_by_its_number_and_by_its_word_in_either_language() -> None:
    for number, word in TYPES.items():
        for text in (number, word.en, word.en.upper(), word.zh, f" {word.zh} "):
            assert types.find_type(text) == number, text
    for text, number in (
        ("１", "1"),
        ("trademark", "6"),
        ("小程序", "4"),
        ("公众号", "4"),
        ("APP", "3"),
        ("应用", "3"),
    ):
        assert types.find_type(text) == number, text
    for text in ("", "0", "8", "1.0", "shop or", "或"):
        assert types.find_type(text) is None, text


@pytest.mark.process
@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_a_type_is_submitted_by_its_word_and_shown_with_it(
    server: Server, shell: Shell, tmp_path: Path
) -> None:
    sign_id = str(shell.json("sign", "submit", "极光推送", "--type", "商标")["sign_id"])
    assert "  type: 6 trademark or brand" in shell.run("sign", "get", sign_id, "--detail").stdout
    assert "  type: 6 trademark or brand" in server.run("audit", "show", sign_id).stdout
    shell.env["LANG"] = "zh_CN.UTF-8"
    assert "type: 6 商标或品牌" in shell.run("sign", "get", sign_id, "--detail").stdout
    server.decide(int(sign_id), passed=True)
    exported = shell.run("export", "-o", "all.csv")
    assert (exported.returncode, ",6," in (tmp_path / "all.csv").read_text()) == (0, True)
    for option in (("--type", "八"), ("-f", "type=8")):
        wrong = shell.run("sign", "check", "极光推送", *option)
        assert (wrong.returncode, "7 其他" in wrong.stderr) == (2, True)


@pytest.mark.process
@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_an_import_takes_words_as_types(shell: Shell, tmp_path: Path) -> None:
    write_csv(tmp_path / "rows.csv", "签名,类型", "极光推送,企业", "第二个,无此类型")
    assert shell.run("import", "rows.csv", "--no-wait").returncode == 1
    [sign] = shell.json("sign", "list")
    assert shell.json("sign", "get", str(sign["sign_id"]), "--detail")["versions"][0]["fields"] == {
        "type": "1"
    }
    assert "unknown type 无此类型" in (tmp_path / "rows.csv.report.csv").read_text("utf-8-sig")
