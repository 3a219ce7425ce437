"""The members of a JSON body of added calls: read strictly, everything that is wrong told at once (51001)."""

from __future__ import annotations

from typing import Any

from smsign.api.answers import read_object
from smsign.api.parameters import no_parameters, parse_time, whole, wrong
from smsign.errors import ApiError, Code, Problem
from smsign.http.wire import Request


class Members:
    """What a body says. Ask for each member, then `finish`."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.problems: list[Problem] = []
        self._given = dict(given)

    @classmethod
    async def read(cls, request: Request, *, timeout_s: float, optional: bool = False) -> Members:
        """Return the members of the body; with `optional`, there need not be one.

        Raises: Refusal 51001 for parameters behind a question mark, 50003, 50017, 50007.
        """
        no_parameters(request)
        return cls(await read_object(request, timeout_s=timeout_s, optional=optional))

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text; without a default it must be there."""
        value = self._given.pop(name, default)
        if isinstance(value, str) and "\0" not in value:
            return value
        self.problems.append(
            wrong(name, "missing, or not a text", "缺失或不是文本", "send one", "请填写文本")
        )
        return ""

    def integer(self, name: str, least: int, most: int, default: int) -> int:
        """Return a whole number within bounds, or `default` when it is not there."""
        value = whole(self._given.pop(name, default))
        if value is not None and least <= value <= most:
            return value
        self.problems.append(
            wrong(
                name,
                f"not a whole number from {least} to {most}",
                f"不是 {least} 至 {most} 的整数",
                f"send {least} to {most}, or leave it out",
                f"请填写 {least} 至 {most}，或不填",
            )
        )
        return default

    def time(self, name: str) -> int:
        """Return a time (RFC 3339) in UTC microseconds; it must be there."""
        value = self._given.pop(name, None)
        if isinstance(value, str) and (time := parse_time(value)) is not None:
            return time
        self.problems.append(
            wrong(
                name,
                "missing, or not a time like 2026-11-24T23:15:52Z",
                "缺失或不是 2026-11-24T23:15:52Z 形式的时间",
                "send RFC 3339 with Z or an offset",
                "请使用 RFC 3339 格式，以 Z 结尾或带时区偏移",
            )
        )
        return 0

    def finish(self) -> None:
        """Raise one Refusal 51001 for everything that is wrong, members that no one asked for included."""
        self.problems += [
            wrong(name[:100], "not a member of this body", "请求体没有该成员", "leave it out", "请去掉该成员")
            for name in self._given
        ]
        if self.problems:
            raise ApiError(Code.INVALID_PARAMETER, self.problems)
