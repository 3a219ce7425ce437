"""SSRF protection: which addresses are allowed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from smsign.config import networks
from smsign.errors import SetupError
from smsign.worker.ssrf import AddressGuard, ForbiddenAddressError, why_forbidden

PUBLIC = [
    "93.184.215.14",
    "1.1.1.1",
    "2606:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
    "2002:101:101::1",
]
FORBIDDEN = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.0.3",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001::1",
    "2001:db8::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "not an address",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_is_allowed(address: str) -> None:
    assert why_forbidden(address, ()) == ""


@pytest.mark.parametrize("address", FORBIDDEN)
def test_non_public_address_is_forbidden(address: str) -> None:
    assert why_forbidden(address, ())


def test_networks_in_the_settings_are_allowed() -> None:
    allowed = networks("callback_networks", "127.0.0.0/8, fd00::/8")
    assert why_forbidden("127.0.0.1", allowed) == ""
    assert why_forbidden("::ffff:127.0.0.1", allowed) == ""
    assert why_forbidden("fd00::5", allowed) == ""
    assert why_forbidden("10.0.0.1", allowed)
    assert why_forbidden("::1", allowed)


def test_invalid_network_is_named_in_the_error() -> None:
    with pytest.raises(SetupError, match="callback_networks"):
        networks("callback_networks", "127.0.0.1/8")


async def test_host_is_forbidden_if_one_of_its_addresses_is() -> None:
    async def lookup(host: str, port: int) -> Sequence[str]:
        return ["1.1.1.1", "10.0.0.1"]

    with pytest.raises(ForbiddenAddressError, match=r"two\.test resolves to 10\.0\.0\.1.*private"):
        await AddressGuard((), lookup).resolve("two.test", 443)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "localhost", "[::1]"])
async def test_every_notation_of_the_loopback_is_forbidden(host: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        await AddressGuard(()).resolve(host, 80)
