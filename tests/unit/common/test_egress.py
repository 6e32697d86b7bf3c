"""Which addresses outgoing calls reach: both families, and each spelling of an address."""

from __future__ import annotations

from base64 import b64encode
from ipaddress import ip_network

import pytest
from pydantic import ValidationError

from common.egress import Egress
from common.settings import EgressSettings

MASTER_KEY = "k1:" + b64encode(bytes(range(32))).decode()

PUBLIC = [
    "93.184.216.34",
    "1.1.1.1",
    "168.63.129.17",
    "2606:2800:220:1:248:1893:25c8:1946",
    "2A00:1450:4001:080F::200E",
    "2001:4860:4860::8888",
]

INSIDE = {
    "IPv4": [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254",
        "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.1.1", "198.18.0.1",
        "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
    ],
    "IPv6": [
        "::", "::1", "0:0:0:0:0:0:0:1", "0000:0000:0000:0000:0000:0000:0000:0001", "100::1",
        "fe80::1", "fe80::1%eth0", "FE80::1", "fec0::1", "fc00::1", "fd12:3456::1", "ff02::1",
        "ff0e::1", "2001::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:1ff::1",
        "2001:db8::1", "2001:0DB8:0:0::1", "3fff::1", "3fff:fff::1", "4000::1", "5f00::1",
        "2606:4700::1%eth0",
    ],
    "IPv4 inside IPv6": [
        "::127.0.0.1", "::7f00:1", "::ffff:127.0.0.1", "::FFFF:7F00:1", "::ffff:10.0.0.1",
        "::ffff:93.184.216.34", "::ffff:0:127.0.0.1", "::ffff:0:7f00:1", "64:ff9b::7f00:1",
        "64:ff9b::10.0.0.1", "64:ff9b::93.184.216.34", "64:ff9b:1::7f00:1", "2002:7f00:1::",
        "2002:a9fe:a9fe::1", "2002:5db8:d822::1", "2001:0:7f00:1::", "2001:0:0:1::f5ff:fffe",
        "2606:4700::5efe:7f00:1", "2606:4700::200:5efe:10.0.0.1",
    ],
    "a cloud's platform channel": ["168.63.129.16", "::ffff:168.63.129.16"],
}  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_permitted(address: str) -> None:
    """Public addresses are permitted."""
    assert Egress().permits(address)


@pytest.mark.parametrize("address", [one for group in INSIDE.values() for one in group])
def test_no_spelling_of_an_inner_address_is_permitted(address: str) -> None:
    """An embedded IPv4 address is never permitted, not even a public one."""
    assert not Egress().permits(address)


def test_under_development_private_addresses_are_permitted() -> None:
    """In development private addresses are permitted, unless they are denied, in any spelling."""
    egress = Egress(private=True, denied=(ip_network("10.0.0.0/8"),))

    assert all(
        egress.permits(address) for address in ("127.0.0.1", "::1", "fc00::1", "192.168.1.1")
    )
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "168.63.129.16", "::ffff:168.63.129.16"):
        assert not egress.permits(address)


def test_further_networks_are_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    """AERO2_EGRESS_DENY adds to the denied networks."""
    monkeypatch.setenv("AERO2_MASTER_KEY", MASTER_KEY)
    monkeypatch.setenv("AERO2_EGRESS_DENY", "93.184.216.0/24, 2606:2800::/32")
    egress = EgressSettings().egress  # from the environment

    assert not egress.permits("93.184.216.34")
    assert not egress.permits("2606:2800:220:1::1")
    assert not egress.permits("168.63.129.16")
    assert egress.permits("1.1.1.1")


@pytest.mark.parametrize("text", ["10.0.0.0/33", "example.com", "10.0.0.1/8"])
def test_a_network_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A misspelt network stops the start."""
    monkeypatch.setenv("AERO2_MASTER_KEY", MASTER_KEY)
    monkeypatch.setenv("AERO2_EGRESS_DENY", text)

    with pytest.raises(ValidationError, match="egress_deny"):
        EgressSettings()  # from the environment


def test_by_default_nothing_private_is_permitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a setting private addresses are denied."""
    monkeypatch.setenv("AERO2_MASTER_KEY", MASTER_KEY)

    assert EgressSettings().egress == Egress()  # from the environment
