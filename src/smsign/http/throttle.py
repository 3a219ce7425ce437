"""The throttle on guesses: at a masterSecret, at a password."""

from __future__ import annotations

import math
from collections import OrderedDict

from smsign.errors import ApiError, Code

REMEMBERED = 20_000
"""Pairs of key and address whose failures are remembered; the oldest is forgotten first."""


class Throttle:
    """Counts wrong secrets for a key from an address; too many in a window, and the pair must wait.

    Another address is never held up by it: whoever has the right secret elsewhere goes on. Each server
    process counts by itself.
    """

    def __init__(self, failures_max: int, window_s: float) -> None:
        self._max = failures_max
        self._window_s = window_s
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def check(self, key: str, address: str, now_s: float, *, times: int = 1) -> None:
        """Raise OutOfFreq while the pair must wait; `times` as many failures are let pass first."""
        if not self._failures:
            return
        count, since_s = self._failures.get((key, address), (0, 0.0))
        if count >= self._max * times and (left_s := since_s + self._window_s - now_s) > 0:
            raise _too_many_failures(math.ceil(left_s))

    def failed(self, key: str, address: str, now_s: float) -> None:
        """Count a wrong secret."""
        count, since_s = self._failures.pop((key, address), (0, now_s))
        if now_s - since_s >= self._window_s:
            count, since_s = 0, now_s
        self._failures[key, address] = (count + 1, since_s)
        if len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)


def _too_many_failures(retry_after_s: int) -> ApiError:
    error = ApiError.of(
        Code.OUT_OF_FREQ,
        "Authorization",
        "too many wrong secrets for this key from this address",
        "该地址对此 appKey 的错误密钥次数过多",
        f"wait {retry_after_s} s, then send the right secret",
        f"请等待 {retry_after_s} 秒，再使用正确的密钥",
    )
    error.retry_after_s = retry_after_s
    return error
