"""Whom a network address counts for."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address


@lru_cache(maxsize=16_384)
def network(ip: str | None) -> str:
    """Whom an address counts for: an IPv6 address for its /64, which is one customer's."""
    try:
        address = ip_address(ip or "")
    except ValueError:
        return "-"
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"
