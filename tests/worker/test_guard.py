"""Which addresses may be sent to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from smsign.config import networks
from smsign.errors import SetupError
from smsign.worker.guard import Guard, RefusedAddressError, fault

PUBLIC = [
    "93.184.215.14",
    "1.1.1.1",
    "2606:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
    "2002:101:101::1",
]
REFUSED = [
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
def test_a_public_address_may_be_sent_to(address: str) -> None:
    assert fault(address, ()) == ""


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert fault(address, ())


def test_an_operator_allows_networks_by_name() -> None:
    allowed = networks("callback_networks", "127.0.0.0/8, fd00::/8")
    assert fault("127.0.0.1", allowed) == ""
    assert fault("::ffff:127.0.0.1", allowed) == ""
    assert fault("fd00::5", allowed) == ""
    assert fault("10.0.0.1", allowed)
    assert fault("::1", allowed)


def test_a_malformed_network_is_named() -> None:
    with pytest.raises(SetupError, match="callback_networks"):
        networks("callback_networks", "127.0.0.1/8")


async def test_one_refused_address_refuses_the_name() -> None:
    async def lookup(host: str, port: int) -> Sequence[str]:
        return ["1.1.1.1", "10.0.0.1"]

    with pytest.raises(RefusedAddressError, match=r"two\.test resolves to 10\.0\.0\.1.*private"):
        await Guard((), lookup).resolve("two.test", 443)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "localhost", "[::1]"])
async def test_no_way_of_writing_the_loopback_gets_through(host: str) -> None:
    with pytest.raises(RefusedAddressError):
        await Guard(()).resolve(host, 80)
