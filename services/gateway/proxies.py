"""Whose word counts: only trusted proxies may say who the client is."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from gateway.settings import Network

ADDRESS: Final = re.compile(
    r"\[(?P<bracketed>[0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|(?P<bare>[0-9.]+(?=:[0-9]{1,5}$)|[0-9A-Fa-f:.]+)(?::[0-9]{1,5})?"
)
"""`192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`."""


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


@lru_cache(maxsize=4096)
def canonical_ip(text: str) -> str | None:
    """The one form in which an address is stored, filtered and counted: without brackets and port,
    an IPv4-mapped one as IPv4 (RFC 4291 section 2.5.5.2). None for what is no address."""
    found = ADDRESS.fullmatch(text.strip())
    if found is None:
        return None
    try:
        address = ip_address(found["bracketed"] or found["bare"])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
