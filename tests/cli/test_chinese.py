"""The command line in Chinese: every help text and click's messages, wrapped by the width of characters."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from smsign.cli import chinese, cli
from smsign.cli.integrator.profiles import VARIABLES
from smsign.config import SETTINGS
from tests.cli.conftest import Shell
from tests.cli.test_help import tree

HAN = re.compile("[\u4e00-\u9fff]")


def _helps() -> Iterator[str]:
    for command in [cli, *(each for name in cli.commands for each in tree(cli.load(name)))]:
        yield from (command.help or "", command.epilog or "")
        yield from (each.help or "" for each in command.params if isinstance(each, click.Option))
    yield from (setting.help for setting in SETTINGS.values())
    yield from VARIABLES.values()


def _texts() -> Iterator[str]:
    """Yield each paragraph of a help text, and each default in brackets that is a word."""
    for help in filter(None, _helps()):
        for _, text, default in chinese.split(help):
            yield text
            yield default if re.search("[a-z]{3}", default) and "." not in default else ""


def _messages_of_click() -> Iterator[str]:
    for file in Path(click.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_every_help_text_has_chinese() -> None:
    missing = [text for text in _texts() if text and not HAN.search(chinese.words().get(text, text))]
    assert [text for text in dict.fromkeys(missing) if re.search("[a-z]{3}", text)] == ["data", "json"]


def test_every_text_of_the_table_is_used() -> None:
    assert set(chinese.words()) - set(_texts()) <= set(_messages_of_click())


def test_a_translation_has_no_placeholder_that_the_english_has_not() -> None:
    for english, text in chinese.words().items():
        assert set(re.findall(r"\{[^}]*\}", text)) <= set(re.findall(r"\{[^}]*\}", english)), english


@pytest.mark.parametrize("width", [10, 17, 40, 79])
def test_a_line_has_at_most_the_columns_and_begins_with_no_closing_mark(width: int) -> None:
    for text in chinese.words().values():
        lines = chinese.wrap(text, width)
        assert "".join("".join(lines).split()) == "".join(text.split())
        for line in lines:
            columns = sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)
            assert columns <= width or " " not in line.strip(), line
            assert line[0] not in "，。；：、！？）】」》”’", line


@pytest.mark.process
@pytest.mark.parametrize(
    "variables", [{"LANG": "zh_CN.UTF-8"}, {"SMSIGN_LANGUAGE": "zh"}, {"LC_ALL": "zh_TW.UTF-8", "LANG": "C"}]
)
def test_help_is_in_chinese_by_the_environment(tmp_path: Path, variables: dict[str, str]) -> None:
    shell = Shell(tmp_path)
    shell.env |= variables
    for command in ((), ("sign", "submit"), ("audit",), ("import",)):
        shown = shell.run(*command, "--help").stdout
        assert shown.startswith("用法: smsign")
        assert "显示本帮助并退出。" in shown
    shell.env["SMSIGN_LANGUAGE"] = "en"
    assert shell.run("--help").stdout.startswith("Usage: smsign")


@pytest.mark.process
def test_wrong_usage_is_explained_in_chinese(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.env["LANG"] = "zh_CN.UTF-8"
    for command, message in (
        (("sign", "submit"), "错误：缺少参数 'CONTENT'"),
        (("sign", "get", "0"), "错误：'ID' 的值无效：0 不在范围 1<=x<=2147483647 内。"),
        (("sgn",), "错误：没有命令 'sgn'。"),
        (("sign", "list", "--statu"), "没有选项 '--statu'"),
        (("import", "none.csv"), "错误：'FILE' 的值无效：文件 'none.csv' 不存在。"),
    ):
        done = shell.run(*command)
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr
