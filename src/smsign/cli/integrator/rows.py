"""The CSV file of an import: decoding, validation by line, and an idempotency key for each row.

Images are read from one folder; path traversal is an error.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from smsign.cli.integrator.decoding import decode, is_certain
from smsign.cli.integrator.headings import COLUMNS, IGNORED, TEXTS, column
from smsign.cli.language import say
from smsign.cli.types import find_type, list_types
from smsign.client import Detail
from smsign.client.multipart import SLOTS
from smsign.errors import SetupError

_BLANK = "\ufeff \t\r\n\u3000\u00a0"


class Table(msgspec.Struct, frozen=True):
    """The lines of a CSV file, by column, and its encoding. `exported` is true for the file of an export."""

    lines: list[tuple[int, dict[str, str]]]
    encoding: str
    certain: bool = True
    exported: bool = False


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A signature to submit. `key` is its idempotency key, the same in each run."""

    line: int
    sign: str
    fields: dict[str, str]
    images: dict[str, Path]
    key: str
    errors: tuple[Detail, ...] = ()


def read(
    file: Path, *, ignore_unknown: bool, encoding: str | None = None, delimiter: str | None = None
) -> list[Table]:
    """Read a CSV file with a header line; return a table for each encoding that it may have.

    Raises: SetupError for an error of the whole file.
    """
    try:
        texts = decode(file.read_bytes(), encoding)
    except OSError as error:
        raise SetupError(f"{file}: {error.strerror}", f"{file}：{error.strerror}") from error
    except SetupError as error:
        raise SetupError(f"{file}: {error.text.en}", f"{file}：{error.text.zh}") from None
    tables: list[Table] = []
    errors: list[SetupError] = []
    for name, text in texts.items():
        try:
            lines, exported = _parse(file, text, delimiter, ignore_unknown=ignore_unknown)
            tables.append(Table(lines, name, certain=bool(encoding) or is_certain(texts), exported=exported))
        except SetupError as error:
            errors.append(error)
    if not tables:
        raise errors[0]
    return tables


def _parse(
    file: Path, text: str, delimiter: str | None, *, ignore_unknown: bool
) -> tuple[list[tuple[int, dict[str, str]]], bool]:
    """Return the lines, and whether the file is an export."""
    text = text.lstrip("\ufeff")
    declared = re.match(r'"?sep=([^"\r\n])"?[ \t]*(\r\n|\n|\r)\ufeff*', text, re.IGNORECASE)
    skipped = 1 if declared else 0
    if declared:
        text = text[declared.end() :]
        delimiter = delimiter or declared[1]
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter or _sniff(text))
    names: list[str] | None = None
    lines = []
    try:
        for cells in reader:
            while cells and not cells[-1].strip(_BLANK):
                cells.pop()
            number = reader.line_num + skipped
            if not any(cell.strip(_BLANK) for cell in cells):
                continue
            if names is None:
                names = [column(cell) for cell in cells]
                continue
            if len(cells) > len(names):
                raise SetupError(
                    f"{file}, line {number}: more cells than the header has columns",
                    f"{file}，第 {number} 行：单元格多于表头的列",
                )
            named = dict(zip(names, map(_unescaped, cells), strict=False))
            if not ignore_unknown and named.get("", "").strip(_BLANK):
                raise SetupError(
                    f"{file}, line {number}: a cell without heading",
                    f"{file}，第 {number} 行：该单元格没有表头",
                )
            lines.append((number, named))
    except csv.Error as error:
        number = reader.line_num + skipped
        raise SetupError(f"{file}, line {number}: {error}", f"{file}，第 {number} 行：{error}") from error
    names = names or []
    _check_names(file, names, ignore_unknown=ignore_unknown)
    return lines, "sign_id" in names


def _sniff(text: str) -> str:
    """Return the delimiter that gives the most known headings."""
    header = next((line for line in text.splitlines() if line.strip(_BLANK + ",;")), "")

    def known(delimiter: str) -> int:
        try:
            names = next(csv.reader([header], delimiter=delimiter), [])
        except csv.Error:
            return 0
        return sum(column(name) in COLUMNS or column(name) in IGNORED for name in names)

    return max(",;\t", key=known)


def _unescaped(cell: str) -> str:
    """Return a cell without a BOM, and without the escape of an export against formula injection."""
    cell = cell.strip("\ufeff")
    return cell[1:] if re.match("'[=+@-]", cell) else cell


def rows(table: Table, folder: Path | None, *, to: str) -> Iterator[Row]:
    """Yield the rows in order. The key of a row is a hash of its contents and of `to`, the application.

    Identical rows are numbered, so that each is submitted.
    """
    seen: Counter[str] = Counter()
    for line, cells in table.lines:
        errors: list[Detail] = []
        images, hashes = {}, {}
        for slot in SLOTS:
            if name := cells.get(slot, "").strip():
                try:
                    images[slot] = _inside(folder, name)
                    hashes[slot] = hashlib.sha256(images[slot].read_bytes()).hexdigest()
                except (OSError, ValueError) as error:
                    why = error.strerror if isinstance(error, OSError) else str(error)
                    errors.append(
                        Detail(
                            slot,
                            f"{name}{say(': ', '：')}{why}",
                            say("name a file in the folder of --images", "请写 --images 目录中的文件名"),
                        )
                    )
        fields = {name: text for name in TEXTS if (text := cells.get(name, "").strip())}
        if kind := fields.get("type"):
            fields["type"] = find_type(kind) or kind
            if not find_type(kind):
                reason, hint = say(f"unknown type {kind}", f"未知的类型 {kind}"), list_types()
                errors.append(Detail("type", reason, say(f"types: {hint}", f"可用的类型：{hint}")))
        sign = cells.get("sign", "").strip()
        if not sign:
            hint = say("enter the content of the signature, without 【】", "请填写签名内容，不含【】")
            errors.append(Detail("sign", say("empty", "为空"), hint))
        for name, text in {"sign": sign, **fields}.items():
            if "\ufffd" in text:
                reason = say("a character was lost (U+FFFD)", "有字符已丢失（U+FFFD）")
                errors.append(Detail(name, reason, say("enter the text again", "请重新填写")))
        content = json.dumps([to, sign, fields, hashes], ensure_ascii=True, sort_keys=True)
        seen[content] += 1
        key = hashlib.sha256(f"{seen[content]} {content}".encode()).hexdigest()
        yield Row(
            line=line,
            sign=sign,
            fields=fields,
            images=images,
            key=f"import-{key[:48]}",
            errors=tuple(errors),
        )


def _check_names(file: Path, names: list[str], *, ignore_unknown: bool) -> None:
    known = ", ".join(COLUMNS)
    if "sign" not in names:
        marks = [mark for mark in ("，", "|", "；") if mark in "".join(names)]
        hint = (
            say(
                f"; the delimiter is {marks[0]!r}: add --delimiter",
                f"；分隔符是 {marks[0]!r}：请加上 --delimiter",
            )
            if marks
            else ""
        )
        raise SetupError(
            f"{file}: no column sign in the header{hint}; known columns: {known}",
            f"{file}：表头没有 sign（签名）列{hint}；可用的列：{known}",
        )
    if twice := [name for name, count in Counter(names).items() if count > 1 and name]:
        raise SetupError(f"{file}: duplicate column {twice[0]}", f"{file}：{twice[0]} 列重复")
    unknown = [name for name in names if name and name not in COLUMNS and name not in IGNORED]
    if unknown and not ignore_unknown:
        listed = ", ".join(unknown)
        raise SetupError(
            f"{file}: unknown columns {listed}; known columns: {known}; to ignore them: --ignore-unknown",
            f"{file}：未知的列 {listed}；可用的列：{known}；要忽略它们：--ignore-unknown",
        )


def _inside(folder: Path | None, name: str) -> Path:
    """Return the file `name` in `folder`, with symbolic links resolved; a backslash is a separator too.

    Raises: ValueError for a path outside of the folder, OSError for a missing file.
    """
    if folder is None:
        raise ValueError(
            say("no folder of images; add --images FOLDER", "没有图片目录；请加上 --images FOLDER")
        )
    if "\0" in name:
        raise ValueError(say("invalid name", "无效的文件名"))
    path = (folder / name.replace("\\", "/")).resolve(strict=True)
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(say("outside of the folder of images", "在图片目录之外"))
    if not path.is_file():
        raise ValueError(say("not a file", "不是文件"))
    return path
