"""The daily limit of submissions per application; a day is a UTC day."""

from __future__ import annotations

from smsign.domain.apps import App
from smsign.domain.signatures import Rules
from smsign.errors import ApiError, Code

DAY_US = 86_400_000_000
LIMIT_MAX = 1_000_000_000


def limit_of(app: App, rules: Rules) -> int:
    """Return the limit of an application, or else the server's; 0 is no limit."""
    return app.submissions_a_day or rules.submissions_a_day


def day_of(now: int) -> int:
    """Return the day of a time in UTC microseconds, counted since 1970-01-01."""
    return now // DAY_US


def limit_exceeded(limit: int, now: int) -> ApiError:
    """Return the error of a submission above the limit; Retry-After is the time until midnight UTC."""
    retry_after_s = -(-(DAY_US - now % DAY_US) // 1_000_000)
    error = ApiError.of(
        Code.TOO_MANY_SUBMISSIONS,
        "sign",
        f"{limit} submissions today, which is the limit",
        f"今日已提交 {limit} 次，达到上限",
        f"wait {retry_after_s} s, until midnight UTC, or ask the operator for a higher limit",
        f"请等待 {retry_after_s} 秒至 UTC 零点，或联系运营方提高上限",
    )
    error.retry_after_s = retry_after_s
    return error
