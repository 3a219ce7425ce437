"""The parameters of added calls: read strictly, everything that is wrong told at once (51001)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

from smsign.errors import ApiError, Code, Problem, Text
from smsign.http.wire import Request

PARAMETERS_MAX = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_CURSOR = re.compile(r"[0-9a-f]{1,15}(-[0-9a-f]{1,15})*")


class Parameters:
    """What follows the question mark. Ask for each parameter, then `finish`."""

    def __init__(self, request: Request) -> None:
        self.problems: list[Problem] = []
        self._given: dict[str, str] = {}
        if request.query:
            self._read(request.query)

    def _read(self, query: str) -> None:
        try:
            text = query.encode("latin-1").decode()  # what was sent unescaped is UTF-8, too
            pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX)
        except UnicodeError:
            self.refuse(
                "query", "not valid UTF-8", "不是有效的 UTF-8", "escape as UTF-8", "请以 UTF-8 编码转义"
            )
            return
        except ValueError:
            self.refuse(
                "query",
                f"more than {PARAMETERS_MAX} parameters",
                f"参数超过 {PARAMETERS_MAX} 个",
                "send each parameter once",
                "每个参数只提交一次",
            )
            return
        for name, value in pairs:
            if name in self._given:
                self.refuse(name, "sent twice", "重复提交", "send it once", "只提交一次")
            self._given[name] = value

    def refuse(self, field: str, en: str, zh: str, hint_en: str, hint_zh: str) -> None:
        """Note that a parameter is wrong."""
        self.problems.append(wrong(field, en, zh, hint_en, hint_zh))

    def integer(self, name: str, least: int, most: int) -> int | None:
        """Return a whole number within bounds, or None when it was not sent."""
        value = self._given.pop(name, None)
        if value is None:
            return None
        if value.isascii() and value.isdigit() and len(value) <= 18 and least <= int(value) <= most:
            return int(value)
        self.refuse(
            name,
            f"not a whole number from {least} to {most}",
            f"不是 {least} 至 {most} 的整数",
            f"send {least} to {most}, or leave it out",
            f"请填写 {least} 至 {most}，或不填",
        )
        return None

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        """Return one of `choices`, or None when it was not sent."""
        value = self._given.pop(name, None)
        if value is None or value in choices:
            return value
        listed = ", ".join(choices)
        self.refuse(
            name,
            f"not one of {listed}",
            f"不在 {listed} 之中",
            f"send one of {listed}",
            f"请使用 {listed} 之一",
        )
        return None

    def text(self, name: str, at_most: int) -> str | None:
        """Return a text of 1 to `at_most` characters, or None when it was not sent."""
        value = self._given.pop(name, None)
        if value is None or (0 < len(value) <= at_most and "\0" not in value):
            return value
        self.refuse(
            name,
            f"not a text of 1 to {at_most} characters",
            f"不是 1 至 {at_most} 个字符的文本",
            "shorten it, or leave it out",
            "请缩短，或不填",
        )
        return None

    def time(self, name: str) -> int | None:
        """Return a time (RFC 3339) in UTC microseconds, or None when it was not sent."""
        value = self._given.pop(name, None)
        if value is None:
            return None
        if (time := parse_time(value)) is None:
            self.refuse(
                name,
                "not a time like 2026-11-24T23:15:52Z",
                "不是 2026-11-24T23:15:52Z 形式的时间",
                "send RFC 3339 with Z or an offset, its + as %2B",
                "请使用 RFC 3339 格式，以 Z 结尾或带时区偏移，+ 写作 %2B",
            )
        return time

    def cursor(self, name: str, count: int) -> tuple[int, ...] | None:
        """Return the numbers of a cursor, or None when it was not sent."""
        value = self._given.pop(name, None)
        if value is None:
            return None
        if (numbers := read_cursor(value, count)) is None:
            self.refuse(
                name,
                "not a cursor that this server made",
                "不是本服务返回的游标",
                "send `next` of the page before as it is, or leave it out",
                "请原样使用上一页返回的 next，或不填",
            )
        return numbers

    def finish(self) -> None:
        """Raise one Refusal 51001 for everything that is wrong, parameters that no one asked for included."""
        for name in self._given:
            self.refuse(
                name[:100], "not a parameter of this call", "此接口没有该参数", "leave it out", "请去掉该参数"
            )
        if self.problems:
            raise ApiError(Code.INVALID_PARAMETER, self.problems)


def no_parameters(request: Request) -> None:
    """Refuse whatever follows the question mark of a call that takes no parameters."""
    if request.query:
        Parameters(request).finish()


def wrong(field: str, en: str, zh: str, hint_en: str, hint_zh: str) -> Problem:
    """Return the problem of a wrong parameter."""
    return Problem(field, Text(en, zh), Text(hint_en, hint_zh), Code.INVALID_PARAMETER)


def whole(value: object) -> int | None:
    """Return a JSON number that is a whole one, or None; to JSON Schema 2.0 is one, too, and true is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        return None
    return int(value)


def make_cursor(*numbers: int) -> str:
    """Return where a list goes on, as a text that clients hand back as it is."""
    return "-".join(f"{number:x}" for number in numbers)


def read_cursor(text: str, count: int) -> tuple[int, ...] | None:
    """Return the numbers of a cursor, or None when it is none."""
    if not _CURSOR.fullmatch(text):
        return None
    numbers = tuple(int(number, 16) for number in text.split("-"))
    return numbers if len(numbers) == count else None


def parse_time(text: str) -> int | None:
    """Return a time (RFC 3339) in UTC microseconds, or None when it is none."""
    if not _TIME.fullmatch(text):
        return None
    try:
        return (datetime.fromisoformat(text.upper()) - _EPOCH) // timedelta(microseconds=1)
    except ValueError:
        return None


def rfc3339(time: int) -> str:
    """Return UTC microseconds as `2026-11-24T23:15:52.123456Z`."""
    return (_EPOCH + timedelta(microseconds=time)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
