"""The sandbox: the contents that test applications submit, and the automatic decision on each."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from smsign.errors import InvalidInput

ACTOR = "system:test"
PENDING = "测试待审"
"""Stays in the audit until a person decides or the application withdraws it."""

PASSES = "测试通过"
REFUSALS: Mapping[str, str] = {
    "测试名称": "name_mismatch",
    "测试来源": "wrong_source",
    "测试宽泛": "too_generic",
    "测试商标": "not_registered",
    "测试模糊": "unreadable",
    "测试授权": "third_party",
    "测试行业": "trade",
    "测试格式": "format",
}
"""The contents that are refused, each with its coded reason."""

DELAY_MS_MAX = 86_400_000


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """A fault that an emulator injects into the next `count` API requests, of one application or of all."""

    app_key: str | None = None
    status: int | None = None
    """The request is not executed; this error is answered instead."""
    retry_after_s: int | None = None
    latency_ms: int = 0
    cut: bool = False
    """The connection is closed in the middle of the response."""
    count: int = 1


class Outcome(msgspec.Struct, frozen=True):
    """An automatic decision."""

    passed: bool
    reasons: tuple[str, ...] = ()


def decide(content: str) -> Outcome | None:
    """Return the decision on a content, or None for the one that stays pending.

    Any other content passes, so that real names can be tried too.
    """
    if content == PENDING:
        return None
    reason = REFUSALS.get(content)
    return Outcome(False, (reason,)) if reason else Outcome(True)


def check_delay(delay_ms: int | None) -> None:
    """Raise InvalidInput for a delay out of bounds."""
    if delay_ms is not None and not 0 <= delay_ms <= DELAY_MS_MAX:
        raise InvalidInput(
            f"delay_ms: {delay_ms} is not between 0 and {DELAY_MS_MAX}",
            f"延迟：{delay_ms} 不在 0 至 {DELAY_MS_MAX} 毫秒之间",
        )
