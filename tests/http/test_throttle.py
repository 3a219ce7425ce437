"""The rate limit on failed authentications."""

from __future__ import annotations

import pytest

from smsign.errors import ApiError
from smsign.http import throttle
from smsign.http.throttle import Throttle


def _is_throttled(throttled: Throttle, key: str, address: str) -> bool:
    try:
        throttled.check(key, address, 1.0)
    except ApiError:
        return True
    return False


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("not an address", "not an address", True),
    ],
)
def test_addresses_of_one_ipv6_network_count_as_one(one: str, other: str, same: bool) -> None:
    throttled = Throttle(1, 60)
    throttled.failed("sign-in:li.na", one, 0.0)
    assert _is_throttled(throttled, "sign-in:li.na", one)
    assert _is_throttled(throttled, "sign-in:li.na", other) == same


def test_failures_of_one_kind_never_push_out_those_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "PAIRS_MAX", 100)
    throttled = Throttle(1, 60)
    throttled.failed("sign-in:li.na", "192.0.2.1", 0.0)
    for n in range(1000):
        throttled.failed(f"{n:024x}", "192.0.2.9", 0.0)
    assert _is_throttled(throttled, "sign-in:li.na", "192.0.2.1")
    assert not _is_throttled(throttled, f"{1:024x}", "192.0.2.9"), "the oldest of its kind is dropped"
