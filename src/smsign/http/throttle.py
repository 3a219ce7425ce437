"""The throttle on guesses: at a masterSecret, at a password."""

from __future__ import annotations

import math
from collections import OrderedDict

from smsign.errors import OutOfFreq

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
            raise OutOfFreq(math.ceil(left_s))

    def failed(self, key: str, address: str, now_s: float) -> None:
        """Count a wrong secret."""
        count, since_s = self._failures.pop((key, address), (0, now_s))
        if now_s - since_s >= self._window_s:
            count, since_s = 0, now_s
        self._failures[key, address] = (count + 1, since_s)
        if len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)
