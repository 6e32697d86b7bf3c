"""The proof of a domain: a TXT record that only its owner can set, and that it leads to us."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tenancy.dns_lookup import Dns

PREFIX: Final = "_aero2."
MARK: Final = "aero2-verify="
HOPS: Final = 5
"""Aliases that are followed."""


@dataclass(frozen=True)
class Proof:
    """What was seen."""

    txt: bool
    cname: bool

    @property
    def complete(self) -> bool:
        return self.txt and self.cname

    def missing(self, domain: str, target: str) -> str | None:
        """For whoever has to set the records."""
        if not self.txt:
            return f"no TXT record {PREFIX}{domain} with the expected value"
        if not self.cname:
            return f"{domain} does not lead to {target}"
        return None


async def look(dns: Dns, domain: str, token: str, target: str) -> Proof:
    """Raises Unavailable where the DNS does not answer, which proves nothing either way."""
    return Proof(
        txt=MARK + token in await dns.txt(PREFIX + domain),
        cname=await _leads(dns, domain, target),
    )


async def _leads(dns: Dns, domain: str, target: str) -> bool:
    """By alias, or, where an alias cannot stand (an apex), by the same addresses."""
    name: str | None = domain
    for _ in range(HOPS):
        name = await dns.cname(name) if name else None
        if name == target:
            return True
    here, there = await dns.addresses(domain), await dns.addresses(target)
    return bool(here) and here <= there
