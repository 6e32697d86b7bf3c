"""Addresses: only trusted proxies may say which address a client has."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

from common.ip_addresses import canonical_ip
from gateway.settings import Network


@lru_cache(maxsize=4096)
def within(ip: str, networks: tuple[Network, ...]) -> bool:
    """Returns whether `ip` lies in one of the networks. False if it is not an address."""
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)


def client_ip(
    peer: str | None, forwarded_for: str | None, trusted: tuple[Network, ...]
) -> str | None:
    """Returns the client's address: the peer or, behind trusted proxies, the last address of
    X-Forwarded-For that is not a trusted proxy. The search ends at an entry that is no address."""
    if peer is None:
        return None
    seen = canonical_ip(peer) or peer
    if forwarded_for is None or not trusted or not within(seen, trusted):
        return seen
    for hop in reversed([part.strip() for part in forwarded_for.split(",")]):
        if not hop:
            continue
        address = canonical_ip(hop)
        if address is None:
            return seen
        seen = address
        if not within(seen, trusted):
            return seen
    return seen
