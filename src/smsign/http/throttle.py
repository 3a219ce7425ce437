"""Throttling of wrong credentials, against brute force: API keys and passwords."""

from __future__ import annotations

import math
from collections import OrderedDict
from functools import lru_cache
from ipaddress import ip_address, ip_network

from smsign.errors import ApiError, Code

PAIRS_MAX = 20_000
"""Pairs of key and address whose failures are counted, of each kind; the oldest is dropped first."""
IPV6_PREFIX = 64
"""The bits of an IPv6 address that count: one customer has all addresses behind them."""


class Throttle:
    """Rate limit on failed authentications, for each pair of key (or account) and client address.

    The owner of a key is never locked out by another address. Each server process counts alone. Each kind of
    key (API, sign-in …: what is before its colon) has a table for itself, so that no kind flushes another.
    """

    def __init__(self, failures_max: int, window_s: float) -> None:
        self._max = failures_max
        self._window_s = window_s
        self._tables: dict[str, OrderedDict[tuple[str, str], tuple[int, float]]] = {}

    def check(self, key: str, address: str, now_s: float, *, times: int = 1) -> None:
        """Raise ApiError 50009 while the pair is over its limit; `times` multiplies the limit."""
        if not (table := self._tables.get(_kind(key))):
            return
        count, since_s = table.get((key, _network(address)), (0, 0.0))
        if count >= self._max * times and (left_s := since_s + self._window_s - now_s) > 0:
            raise too_many_failures(math.ceil(left_s))

    def failed(self, key: str, address: str, now_s: float) -> None:
        """Count a failed authentication."""
        table, pair = self._tables.setdefault(_kind(key), OrderedDict()), (key, _network(address))
        count, since_s = table.pop(pair, (0, now_s))
        if now_s - since_s >= self._window_s:
            count, since_s = 0, now_s
        table[pair] = (count + 1, since_s)
        if len(table) > PAIRS_MAX:
            table.popitem(last=False)


def _kind(key: str) -> str:
    return key.partition(":")[0] if ":" in key else ""


@lru_cache(10_000)
def _network(address: str) -> str:
    """Return the network of an IPv6 address, any other address as it is."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4 or parsed.ipv4_mapped:
        return str(parsed)
    return str(ip_network((parsed, IPV6_PREFIX), strict=False))


def too_many_failures(retry_after_s: int) -> ApiError:
    """Return the error of a client that has failed too often, with the seconds to wait."""
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
