"""Looks up the proof of a custom domain.

The proof is a TXT record that only the domain's owner can set, and a name that leads to us.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from common.db import Db
from tenancy.dns_lookup import Dns
from tenancy.queries import domain_checks
from tenancy.queries.domains import CustomDomainRow

PREFIX: Final = "_aero2."
MARK: Final = "aero2-verify="
MAX_ALIASES: Final = 5
"""Aliases that are followed."""


@dataclass(frozen=True)
class Proof:
    """Which of the two records the DNS has."""

    txt: bool
    cname: bool

    @property
    def complete(self) -> bool:
        return self.txt and self.cname

    def missing(self, domain: str, target: str) -> str | None:
        """Returns a sentence about the record that is missing, or None."""
        if not self.txt:
            return f"no TXT record {PREFIX}{domain} with the expected value"
        if not self.cname:
            return f"{domain} does not lead to {target}"
        return None


def new_token() -> str:
    """Returns a random value for the TXT record."""
    return secrets.token_hex(20)


async def look_up(dns: Dns, domain: str, token: str, target: str) -> Proof:
    """Returns what the DNS has. Raises Unavailable if it does not answer."""
    return Proof(
        txt=MARK + token in await dns.txt(PREFIX + domain),
        cname=await _leads_to(dns, domain, target),
    )


async def store(tx: Db, row: CustomDomainRow, proof: Proof, target: str) -> None:
    """Stores the result in the domain's row."""
    await domain_checks.set_result(
        tx,
        app_id=row.app_id,
        id=row.id,
        txt_ok=proof.txt,
        cname_ok=proof.cname,
        last_error=proof.missing(row.domain, target),
    )


async def _leads_to(dns: Dns, domain: str, target: str) -> bool:
    """Returns whether an alias of the domain is the target, or all its addresses are.

    An apex cannot have an alias, so it has the target's addresses.
    """
    name: str | None = domain
    for _ in range(MAX_ALIASES):
        name = await dns.cname(name) if name else None
        if name == target:
            return True
    own, expected = await dns.addresses(domain), await dns.addresses(target)
    return bool(own) and own <= expected
