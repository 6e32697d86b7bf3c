"""The IP addresses from which clients call: their canonical form, and the network that one customer has."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final

ADDRESS: Final = re.compile(
    r"\[(?P<bracketed>[0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|(?P<bare>[0-9.]+(?=:[0-9]{1,5}$)|[0-9A-Fa-f:.]+)(?::[0-9]{1,5})?"
)
"""`192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`."""


@lru_cache(maxsize=4096)
def canonical_ip(text: str) -> str | None:
    """Returns the form in which an address is stored, filtered and counted: without brackets and port, and
    an IPv4-mapped address as IPv4 (RFC 4291 section 2.5.5.2). Returns None if the text is not an
    address."""
    match = ADDRESS.fullmatch(text.strip())
    if match is None:
        return None
    try:
        address = ip_address(match["bracketed"] or match["bare"])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


@lru_cache(maxsize=16_384)
def client_network(ip: str | None) -> str:
    """Returns the network that limits count: an IPv4 address itself, the /64 of an IPv6 address (which one
    customer has), or `-` if there is no address."""
    try:
        address = ip_address(ip or "")
    except ValueError:
        return "-"
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"
