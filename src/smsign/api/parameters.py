"""Strict reader of the added calls' parameters, from the query string or a JSON body.

Read each parameter of the call, then call `finish`: it raises one error 51001 for everything that is invalid.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from smsign.errors import ApiError, Code, Problem
from smsign.http.wire import Request
from smsign.parsing import parse_int, parse_time

PARAMETERS_MAX = 50
OBJECT_BYTES = 64 * 1024
_CURSOR = re.compile(r"[0-9a-f]{1,15}(-[0-9a-f]{1,15})*")
_JSON_HINT = "send a JSON object as application/json", "请以 application/json 发送 JSON 对象"


class Parameters:
    """The parameters of a request by name."""

    def __init__(self, given: Mapping[str, object] = {}) -> None:
        self.problems: list[Problem] = []
        self._given = dict(given)

    @classmethod
    def of_query(cls, request: Request) -> Parameters:
        """Return the parameters in the query string."""
        found = _Query()
        if request.query:
            found.parse(request.query)
        return found

    @classmethod
    async def of_body(cls, request: Request, *, timeout_s: float, optional: bool = False) -> Parameters:
        """Return the members of a JSON body; with `optional`, an empty body has none.

        Raises: ApiError 51001 for a query string, 50003 for an empty body, 50017 for another media type,
        50007 if it is not a JSON object.
        """
        no_parameters(request)
        body = b"".join([chunk async for chunk in request.body(at_most=OBJECT_BYTES, timeout_s=timeout_s)])
        return cls(_parse_object(body, request.header(b"content-type")) if body or not optional else {})

    def invalid(self, field: str, en: str, zh: str, hint_en: str, hint_zh: str) -> None:
        """Add a problem with a parameter."""
        self.problems.append(Problem.of(Code.INVALID_PARAMETER, field, en, zh, hint_en, hint_zh))

    def require(self, *names: str) -> None:
        """Add a problem for each of `names` that is missing."""
        for name in names:
            if name not in self._given:
                self.invalid(name, "missing", "缺失", "send it", "请提交该参数")

    def integer(self, name: str, least: int, most: int) -> int | None:
        """Return a whole number within bounds, or None if it was not sent."""
        if name not in self._given:
            return None
        value = self._whole(self._given.pop(name))
        if value is not None and least <= value <= most:
            return value
        self.invalid(
            name,
            f"not a whole number from {least} to {most}",
            f"不是 {least} 至 {most} 的整数",
            f"send {least} to {most}, or leave it out",
            f"请填写 {least} 至 {most}，或不填",
        )
        return None

    def _whole(self, value: object) -> int | None:
        # As in JSON Schema, 2.0 is an integer, and true is not.
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
            return None
        return int(value)

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        """Return one of `choices`, or None if it was not sent."""
        value = self._given.pop(name, None)
        if value is None or (isinstance(value, str) and value in choices):
            return value
        listed = ", ".join(choices)
        self.invalid(
            name,
            f"not one of {listed}",
            f"不在 {listed} 之中",
            f"send one of {listed}",
            f"请使用 {listed} 之一",
        )
        return None

    def text(self, name: str, at_most: int) -> str | None:
        """Return a text of 1 to `at_most` characters, or None if it was not sent."""
        if name not in self._given:
            return None
        value = self._given.pop(name)
        if isinstance(value, str) and 0 < len(value) <= at_most and "\0" not in value:
            return value
        self.invalid(
            name,
            f"not a text of 1 to {at_most} characters",
            f"不是 1 至 {at_most} 个字符的文本",
            "shorten it, or leave it out",
            "请缩短，或不填",
        )
        return None

    def boolean(self, name: str) -> bool | None:
        """Return true or false, or None if it was not sent."""
        value = self._given.pop(name, None)
        if value is None or isinstance(value, bool):
            return value
        self.invalid(
            name, "not true or false", "不是 true 或 false", "send true or false", "请填写 true 或 false"
        )
        return None

    def time(self, name: str) -> int | None:
        """Return a time (RFC 3339) in UTC microseconds, or None if it was not sent."""
        if name not in self._given:
            return None
        value = self._given.pop(name)
        if isinstance(value, str) and (time := parse_time(value)) is not None:
            return time
        self.invalid(
            name,
            "not a time like 2026-11-24T23:15:52Z",
            "不是 2026-11-24T23:15:52Z 形式的时间",
            "send RFC 3339 with Z or an offset; in a query string its + is %2B",
            "请使用 RFC 3339 格式，以 Z 结尾或带时区偏移；在查询串中 + 写作 %2B",
        )
        return None

    def cursor(self, name: str, count: int) -> tuple[int, ...] | None:
        """Return the numbers of a pagination cursor, or None if it was not sent."""
        if name not in self._given:
            return None
        value = str(self._given.pop(name))
        numbers = tuple(int(number, 16) for number in value.split("-")) if _CURSOR.fullmatch(value) else ()
        if len(numbers) == count:
            return numbers
        self.invalid(
            name,
            "not a cursor of this server",
            "不是本服务返回的游标",
            "send `next` of the previous page unchanged, or leave it out",
            "请原样使用上一页返回的 next，或不填",
        )
        return None

    def finish(self) -> None:
        """Raise one ApiError 51001 for everything that is invalid, unknown parameters included."""
        for name in self._given:
            self.invalid(
                name[:100], "not a parameter of this call", "此接口没有该参数", "leave it out", "请去掉该参数"
            )
        if self.problems:
            raise ApiError(Code.INVALID_PARAMETER, self.problems)


class _Query(Parameters):
    def parse(self, query: str) -> None:
        try:
            text = query.encode("latin-1").decode()  # bytes sent unescaped are UTF-8 too
            pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX)
        except UnicodeError:
            self.invalid(
                "query", "not valid UTF-8", "不是有效的 UTF-8", "encode it as UTF-8", "请使用 UTF-8 编码"
            )
            return
        except ValueError:
            self.invalid(
                "query",
                f"more than {PARAMETERS_MAX} parameters",
                f"参数超过 {PARAMETERS_MAX} 个",
                "send each parameter once",
                "每个参数只提交一次",
            )
            return
        for name, value in pairs:
            if name in self._given:
                self.invalid(name, "sent twice", "重复提交", "send it once", "只提交一次")
            self._given[name] = value

    def _whole(self, value: object) -> int | None:
        return parse_int(str(value))


def no_parameters(request: Request) -> None:
    """Raise ApiError 51001 if a call without parameters has a query string."""
    if request.query:
        Parameters.of_query(request).finish()


def make_cursor(*numbers: int) -> str:
    """Return the cursor of the next page, opaque to clients."""
    return "-".join(f"{number:x}" for number in numbers)


def _parse_object(body: bytes, content_type: str) -> dict[str, Any]:
    if not body:
        raise ApiError.of(Code.MISSING_BODY, "body", "empty", "为空", *_JSON_HINT)
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json":
        named = f"{kind[:80] or 'missing'}, not application/json"
        raise ApiError.of(
            Code.MEDIA_NOT_SUPPORTED, "Content-Type", named, "不是 application/json", *_JSON_HINT
        )
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise ApiError.of(
            Code.INVALID_BODY, "body", "not valid JSON", "不是有效的 JSON", *_JSON_HINT
        ) from None
    if not isinstance(value, dict):
        raise ApiError.of(Code.INVALID_BODY, "body", "not a JSON object", "不是 JSON 对象", *_JSON_HINT)
    return value
