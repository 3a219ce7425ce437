"""The CSV of an import: read whatever a spreadsheet wrote, tell what is wrong by line, name each row for
ever.

An image is looked for in one folder, and nothing outside of it is ever read.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from smsign.client import Detail, Fields
from smsign.client.multipart import SLOTS
from smsign.errors import SetupError

TEXTS = tuple(Fields.__annotations__)
COLUMNS = ("sign", *TEXTS, *SLOTS)


class Table(msgspec.Struct, frozen=True):
    """A CSV as read: its lines by column, and how it was written."""

    lines: list[tuple[int, dict[str, str]]]
    encoding: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One signature to submit. `key` is the same each time that the same row is read."""

    line: int
    sign: str
    fields: dict[str, str]
    images: dict[str, Path]
    key: str
    wrong: tuple[Detail, ...] = ()


def read(file: Path, *, ignore_unknown: bool) -> Table:
    """Read a CSV with a line of column names.

    Raises: SetupError that says what is wrong with the file as a whole.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise SetupError(f"{file}: {error.strerror}") from error
    text, encoding = _decode(file, data)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        _check_names(file, names, ignore_unknown=ignore_unknown)
        lines = []
        for cells in reader:
            if any(cell.strip() for cell in cells):
                if len(cells) > len(names):
                    raise SetupError(
                        f"{file}, line {reader.line_num}: more cells than the first line has names"
                    )
                lines.append((reader.line_num, dict(zip(names, cells, strict=False))))
    except csv.Error as error:
        raise SetupError(f"{file}, line {reader.line_num}: {error}") from error
    return Table(lines, encoding)


def rows(table: Table, folder: Path | None, *, to: str) -> Iterator[Row]:
    """Yield the rows, in order, each with a key made of all that it submits and of `to`: which service, as
    whom.

    Rows that are alike in everything are told apart by their number: the file says twice, so it is twice.
    """
    seen: Counter[str] = Counter()
    for line, cells in table.lines:
        wrong: list[Detail] = []
        images, hashes = {}, {}
        for slot in SLOTS:
            if name := cells.get(slot, "").strip():
                try:
                    images[slot] = _inside(folder, name)
                    hashes[slot] = hashlib.sha256(images[slot].read_bytes()).hexdigest()
                except (OSError, ValueError) as error:
                    why = error.strerror if isinstance(error, OSError) else str(error)
                    wrong.append(Detail(slot, f"{name}: {why}", "name an image in the folder of --images"))
        fields = {name: text for name in TEXTS if (text := cells.get(name, "").strip())}
        sign = cells.get("sign", "").strip()
        if not sign:
            wrong.append(Detail("sign", "empty", "write the content of the signature, without 【】"))
        what = json.dumps([to, sign, fields, hashes], ensure_ascii=True, sort_keys=True)
        seen[what] += 1
        key = hashlib.sha256(f"{seen[what]} {what}".encode()).hexdigest()
        yield Row(
            line=line,
            sign=sign,
            fields=fields,
            images=images,
            key=f"import-{key[:48]}",
            wrong=tuple(wrong),
        )


def _decode(file: Path, data: bytes) -> tuple[str, str]:
    """Return the text, and what it was written in: UTF-8, with or without a BOM, or GBK as Excel does."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise SetupError(f"{file} is UTF-16; save it as CSV UTF-8")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding), "UTF-8" if encoding == "utf-8-sig" else "GBK"
        except UnicodeDecodeError as error:
            where = data.count(b"\n", 0, error.start) + 1
    raise SetupError(f"{file}, line {where}: neither UTF-8 nor GBK; save it as CSV UTF-8")


def _check_names(file: Path, names: list[str], *, ignore_unknown: bool) -> None:
    if "sign" not in names:
        apart = next((mark for mark in ("\t", ";", "，") if mark in "".join(names)), None)
        hint = f"; the cells are parted by {apart!r}, not by commas" if apart else ""
        raise SetupError(f"{file}: the first line names no column sign{hint}; known are {', '.join(COLUMNS)}")
    if twice := [name for name, count in Counter(names).items() if count > 1 and name]:
        raise SetupError(f"{file}: the first line names {twice[0]} twice")
    unknown = [name for name in names if name not in COLUMNS]
    if unknown and not ignore_unknown:
        raise SetupError(
            f"{file}: unknown columns {', '.join(name or '(empty)' for name in unknown)}; known are"
            f" {', '.join(COLUMNS)}; --ignore-unknown leaves them out"
        )


def _inside(folder: Path | None, name: str) -> Path:
    """Return the file that `name` means in `folder`, however links lead; a backslash parts folders too.

    Raises: ValueError when it is not inside, OSError when it is not there.
    """
    if folder is None:
        raise ValueError("an image is named, and no folder; add --images FOLDER")
    if "\0" in name:
        raise ValueError("not a name")
    path = (folder / name.replace("\\", "/")).resolve(strict=True)
    if not path.is_relative_to(folder.resolve()):
        raise ValueError("outside of the folder of images")
    if not path.is_file():
        raise ValueError("not a file")
    return path
