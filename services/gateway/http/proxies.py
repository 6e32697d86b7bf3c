"""Whose word counts: only trusted proxies may say who the client is."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

from common.ip_addresses import canonical_ip
from gateway.settings import Network


@lru_cache(maxsize=4096)
def within(ip: str, networks: tuple[Network, ...]) -> bool:
    """True where `ip` lies in one of the networks; what is no address lies in none."""
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)


def client_ip(
    peer: str | None, forwarded_for: str | None, trusted: tuple[Network, ...]
) -> str | None:
    """The client's address: the peer, or, where the peer is a trusted proxy, the last address of
    X-Forwarded-For that is not one itself. What cannot be parsed ends the walk."""
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
