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
from tests.running import Server

CLI = Path(chinese.__file__).parent
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


def _nodes(*folders: Path) -> Iterator[ast.AST]:
    for folder in folders:
        for file in folder.rglob("*.py"):
            yield from ast.walk(ast.parse(file.read_text("utf-8")))


def _strings(*folders: Path) -> set[str]:
    constants = (node.value for node in _nodes(*folders) if isinstance(node, ast.Constant))
    return {value for value in constants if isinstance(value, str)}


def test_every_help_text_has_chinese() -> None:
    missing = [text for text in _texts() if text and not HAN.search(chinese.words().get(text, text))]
    assert [text for text in dict.fromkeys(missing) if re.search("[a-z]{3}", text)] == ["data", "json"]


def test_every_text_of_the_table_is_used() -> None:
    used = {*_texts(), *_strings(Path(click.__file__).parent, CLI, CLI.parent / "actions")}
    used |= {text.rstrip(": ") for text in used}
    assert set(chinese.words()) <= used


def _fixed(node: ast.AST | None) -> Iterator[str]:
    """Yield the fixed texts of an expression: of a dictionary its keys."""
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.IfExp):
        yield from (*_fixed(node.body), *_fixed(node.orelse))
    elif isinstance(node, ast.List | ast.Dict):
        for each in node.keys if isinstance(node, ast.Dict) else node.elts:
            yield from _fixed(each)


def test_every_fixed_text_of_a_command_has_chinese() -> None:
    """The arguments of `word`, and what `show_table` and `show_fields` translate."""
    texts: list[str] = []
    for node in _nodes(CLI):
        name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
        if isinstance(node, ast.Call) and name in ("word", "show_table", "show_fields"):
            empty = [each.value for each in node.keywords if each.arg == "empty"]
            texts += [text for each in (*node.args[:1], *empty) for text in _fixed(each)]
    assert len(texts) > 100
    known = {*chinese.words(), "", "appKey", "masterSecret"}
    assert [text for text in texts if text not in known] == []


def test_every_description_of_a_progress_bar_has_chinese() -> None:
    texts = []
    for node in _nodes(CLI, CLI.parent / "actions"):
        if isinstance(node, ast.Call):
            described = node.args[:1] if "progress" in ast.unparse(node.func) else []
            described += [each.value for each in node.keywords if each.arg == "doing"]
            for each in described:
                first = each.values[0] if isinstance(each, ast.JoinedStr) else each
                texts += [text.partition(":")[0] for text in _fixed(first)]
    assert {"copying", "comparing"} < set(texts)
    assert set(texts) - {""} <= set(chinese.words())


def test_every_message_of_a_command_is_in_both_languages() -> None:
    shown = {"echo", "secho", "confirm", "UsageError", "BadParameter"}
    for node in _nodes(CLI):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in shown:
            message = node.args[0] if node.args else None
            parts = message.values if isinstance(message, ast.JoinedStr) else [message]
            for part in parts:
                text = str(part.value) if isinstance(part, ast.Constant) else ""
                assert not re.search(
                    "[a-z]{3} [a-z]{2}", re.sub("smsign worker|audit list|audit pass", "", text)
                ), ast.unparse(node)


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


@pytest.mark.process
@pytest.mark.parametrize("engine", ["sqlite"], scope="session", indirect=True)
def test_commands_answer_in_chinese(server: Server, shell: Shell, tmp_path: Path) -> None:
    chinese_locale = {"LANG": "zh_CN.UTF-8"}
    shell.env |= chinese_locale
    assert "已提交；等待审核结果：" in shell.run("sign", "submit", "极光推送").stdout
    listed = shell.run("sign", "list").stdout
    assert listed.startswith("ID\t签名\t状态\t")
    assert "\t审核中\t" in listed
    (tmp_path / "rows.csv").write_text("sign,image0\n第二个,none.png\n")
    imported = shell.run("import", "rows.csv")
    assert imported.stdout.startswith("1 行，0 通过，1 失败\n错误见：rows.csv.report.csv")
    assert "没有图片目录" in (tmp_path / "rows.csv.report.csv").read_text("utf-8-sig")
    del shell.env["SMSIGN_URL"]
    assert shell.run("sign", "list").stderr.startswith("smsign: 未设置 SMSIGN_URL")
    server.env |= chinese_locale
    try:
        assert server.run("app", "show", "none").stderr.startswith("smsign: 没有")
        assert server.run("audit", "list").stdout.startswith("ID\t签名\t应用\t版本\t已等待")
        assert "\n正常\t表结构\t版本 " in server.run("doctor").stdout
        wrong = server.run("migrate", "--database-pool", "0")
        assert wrong.stderr == "smsign: database_pool：0 不在 1 与 1000 之间\n"
    finally:
        del server.env["LANG"]
