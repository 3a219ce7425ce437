"""How many submissions an application may make in a day, counted in UTC."""

from __future__ import annotations

from smsign.domain.apps import App
from smsign.domain.signatures import Rules
from smsign.errors import ApiError, Code

DAY_US = 86_400_000_000
LIMIT_MAX = 1_000_000_000


def limit_of(app: App, rules: Rules) -> int:
    """Return the application's own limit, or else everybody's; 0 is none."""
    return app.submissions_a_day or rules.submissions_a_day


def day_of(now: int) -> int:
    """Return the day of a time in UTC microseconds, counted since 1970-01-01."""
    return now // DAY_US


def too_many(limit: int, now: int) -> ApiError:
    """Return the error of one submission more than `limit`; Retry-After is the time until midnight UTC."""
    retry_after_s = -(-(DAY_US - now % DAY_US) // 1_000_000)
    error = ApiError.of(
        Code.TOO_MANY_SUBMISSIONS,
        "sign",
        f"{limit} submissions were made today, the most",
        f"今日已提交 {limit} 次，达到上限",
        f"wait {retry_after_s} s, until midnight UTC, or ask the operator for more",
        f"请等待 {retry_after_s} 秒至 UTC 零点，或联系运营方提高上限",
    )
    error.retry_after_s = retry_after_s
    return error
