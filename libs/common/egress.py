"""The addresses that outgoing calls may reach. Tenants choose their targets (SSRF, server-side
request forgery)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

from common.deployment_hosts import DeploymentHosts

Network = IPv4Network | IPv6Network

DENIED: Final[tuple[Network, ...]] = (ip_network("168.63.129.16/32"),)
"""Networks that are never called, whatever the settings are: the platform channel of Azure, inside
public space."""

GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
NOT_UNICAST: Final = tuple(
    IPv6Network(net)
    for net in (
        "2001::/23",  # IETF protocol assignments; Teredo (2001::/32) holds an IPv4 address
        "2002::/16",  # 6to4 holds an IPv4 address
        "3fff::/20",  # documentation (RFC 9637)
    )
)
ISATAP: Final = 0x00005EFE
"""The upper half of an interface identifier that ends in an IPv4 address (RFC 5214 section 6.1)."""
ISATAP_MASK: Final = 0xFCFFFFFF


@dataclass(frozen=True)
class Egress:
    """Checks the addresses of outgoing calls."""

    private: bool = False
    """Private addresses and plain http may be called: development only."""
    denied: tuple[Network, ...] = ()
    """Further networks that are never called."""
    deployment: DeploymentHosts | None = None
    """Hosts that are reached at the gateway, wherever it is. None: there are none."""

    def permits_http(self, host: str, port: int | None) -> bool:
        """Returns whether plain http may be spoken with a host: in development, and with the hosts of
        this deployment if its public address is plain http."""
        return self.private or (
            self.deployment is not None and self.deployment.has_origin("http", host, port)
        )

    def permits(self, address: str) -> bool:
        """Returns whether an address may be called. Raises ValueError if the text is not an IP
        address."""
        ip = _unmapped(ip_address(address)) if self.private else ip_address(address)
        if _inside(ip, DENIED) or _inside(ip, self.denied):
            return False
        return self.private or is_public(ip)


def is_public(ip: IPv4Address | IPv6Address) -> bool:
    """Returns whether the address belongs to a host on the Internet. An IPv6 address that carries an
    IPv4 address (mapped, translated, tunnelled) does not, since another machine unwraps it."""
    if not ip.is_global or ip.is_multicast:
        return False
    if isinstance(ip, IPv4Address):
        return True
    if ip.scope_id is not None or ip not in GLOBAL_UNICAST or _inside(ip, NOT_UNICAST):
        return False
    return (int(ip) >> 32) & ISATAP_MASK != ISATAP


def _inside(ip: IPv4Address | IPv6Address, networks: Iterable[Network]) -> bool:
    return any(ip in network for network in networks)


def _unmapped(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    return (isinstance(ip, IPv6Address) and ip.ipv4_mapped) or ip
