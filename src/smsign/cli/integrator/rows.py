"""The CSV file of an import: decoding, validation by line, and an idempotency key for each row.

Images are read from one folder; path traversal is an error.
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
    """The lines of a CSV file, by column, and its encoding."""

    lines: list[tuple[int, dict[str, str]]]
    encoding: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A signature to submit. `key` is its idempotency key, the same in each run."""

    line: int
    sign: str
    fields: dict[str, str]
    images: dict[str, Path]
    key: str
    errors: tuple[Detail, ...] = ()


def read(file: Path, *, ignore_unknown: bool) -> Table:
    """Read a CSV file with a header line.

    Raises: SetupError for an error of the whole file.
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
                        f"{file}, line {reader.line_num}: more cells than the header has columns"
                    )
                lines.append((reader.line_num, dict(zip(names, cells, strict=False))))
    except csv.Error as error:
        raise SetupError(f"{file}, line {reader.line_num}: {error}") from error
    return Table(lines, encoding)


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
                    errors.append(Detail(slot, f"{name}: {why}", "name a file in the folder of --images"))
        fields = {name: text for name in TEXTS if (text := cells.get(name, "").strip())}
        sign = cells.get("sign", "").strip()
        if not sign:
            errors.append(Detail("sign", "empty", "enter the content of the signature, without 【】"))
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


def _decode(file: Path, data: bytes) -> tuple[str, str]:
    """Return (text, encoding): UTF-8 with or without a BOM, or GBK as written by Excel."""
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
        delimiter = next((mark for mark in ("\t", ";", "，") if mark in "".join(names)), None)
        hint = f"; the delimiter is {delimiter!r}, not a comma" if delimiter else ""
        raise SetupError(f"{file}: no column sign in the header{hint}; known columns: {', '.join(COLUMNS)}")
    if twice := [name for name, count in Counter(names).items() if count > 1 and name]:
        raise SetupError(f"{file}: duplicate column {twice[0]}")
    unknown = [name for name in names if name not in COLUMNS]
    if unknown and not ignore_unknown:
        raise SetupError(
            f"{file}: unknown columns {', '.join(name or '(empty)' for name in unknown)}; known columns:"
            f" {', '.join(COLUMNS)}; to ignore them: --ignore-unknown"
        )


def _inside(folder: Path | None, name: str) -> Path:
    """Return the file `name` in `folder`, with symbolic links resolved; a backslash is a separator too.

    Raises: ValueError for a path outside of the folder, OSError for a missing file.
    """
    if folder is None:
        raise ValueError("no folder of images; add --images FOLDER")
    if "\0" in name:
        raise ValueError("invalid name")
    path = (folder / name.replace("\\", "/")).resolve(strict=True)
    if not path.is_relative_to(folder.resolve()):
        raise ValueError("outside of the folder of images")
    if not path.is_file():
        raise ValueError("not a file")
    return path
