"""Throttling of wrong credentials, against brute force: API keys and passwords."""

from __future__ import annotations

import math
from collections import OrderedDict

from smsign.errors import ApiError, Code

PAIRS_MAX = 20_000
"""Pairs of key and address whose failures are counted; the oldest is dropped first."""


class Throttle:
    """Rate limit on failed authentications, for each pair of key (or account) and client address.

    The owner of a key is never locked out by another address. Each server process counts alone.
    """

    def __init__(self, failures_max: int, window_s: float) -> None:
        self._max = failures_max
        self._window_s = window_s
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def check(self, key: str, address: str, now_s: float, *, times: int = 1) -> None:
        """Raise ApiError 50009 while the pair is over its limit; `times` multiplies the limit."""
        if not self._failures:
            return
        count, since_s = self._failures.get((key, address), (0, 0.0))
        if count >= self._max * times and (left_s := since_s + self._window_s - now_s) > 0:
            raise _too_many_failures(math.ceil(left_s))

    def failed(self, key: str, address: str, now_s: float) -> None:
        """Count a failed authentication."""
        count, since_s = self._failures.pop((key, address), (0, now_s))
        if now_s - since_s >= self._window_s:
            count, since_s = 0, now_s
        self._failures[key, address] = (count + 1, since_s)
        if len(self._failures) > PAIRS_MAX:
            self._failures.popitem(last=False)


def _too_many_failures(retry_after_s: int) -> ApiError:
    error = ApiError.of(
        Code.OUT_OF_FREQ,
        "Authorization",
        "too many failed authentications for this appKey from this address",
        "该地址对此 appKey 的认证失败次数过多",
        f"wait {retry_after_s} s, then send the right masterSecret",
        f"请等待 {retry_after_s} 秒，再使用正确的 masterSecret",
    )
    error.retry_after_s = retry_after_s
    return error
