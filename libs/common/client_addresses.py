"""The one form of the network addresses from which clients call."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

ADDRESS: Final = re.compile(
    r"\[(?P<bracketed>[0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|(?P<bare>[0-9.]+(?=:[0-9]{1,5}$)|[0-9A-Fa-f:.]+)(?::[0-9]{1,5})?"
)
"""`192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`."""


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
