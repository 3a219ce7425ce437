"""How many submissions an application may make in a day, counted in UTC."""

from __future__ import annotations

from smsign.domain.apps import App
from smsign.domain.signatures import Rules
from smsign.errors import TooManySubmissions

DAY_US = 86_400_000_000
LIMIT_MAX = 1_000_000_000


def limit_of(app: App, rules: Rules) -> int:
    """Return the application's own limit, or else everybody's; 0 is none."""
    return app.submissions_a_day or rules.submissions_a_day


def day_of(now: int) -> int:
    """Return the day of a time in UTC microseconds, counted since 1970-01-01."""
    return now // DAY_US


def too_many(limit: int, now: int) -> TooManySubmissions:
    """Return the refusal of one more than `limit`; it says how long it is to midnight."""
    return TooManySubmissions(limit, -(-(DAY_US - now % DAY_US) // 1_000_000))
