"""Asks the DNS for the records that prove a domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver

from common.address_keys import host_key
from common.problems import Unavailable

WITHIN = 4.0
"""Seconds for one question, with all servers and retries."""
NO_RECORD = (
    dns.resolver.NXDOMAIN,
    dns.resolver.NoAnswer,
    dns.name.EmptyLabel,
    dns.name.LabelTooLong,
    dns.name.NameTooLong,
)


def resolver_for(servers: Sequence[str]) -> dns.asyncresolver.Resolver:
    """Returns a resolver that asks these servers: `address` or `address:port`, IPv4.

    Without servers, it asks those that the machine is configured with.
    """
    if not servers:
        return dns.asyncresolver.Resolver()
    resolver = dns.asyncresolver.Resolver(configure=False)
    split = [server.partition(":") for server in servers]
    resolver.nameservers = [address for address, _, _ in split]
    resolver.nameserver_ports = {address: int(port) for address, _, port in split if port}
    return resolver


@dataclass
class Dns:
    """Asks the configured servers. It caches nothing, so a record counts as soon as it is set."""

    servers: Sequence[str] = ()
    _resolver: dns.asyncresolver.Resolver | None = field(default=None, repr=False)

    async def txt(self, name: str) -> list[str]:
        """Returns the texts at a name, each with its strings joined.

        Raises Unavailable if no server answers.
        """
        return [
            b"".join(record.strings).decode(errors="replace")
            for record in await self._ask(name, "TXT")
        ]

    async def cname(self, name: str) -> str | None:
        """Returns the name that an alias leads to, in lower case and without the trailing dot."""
        for record in await self._ask(name, "CNAME"):
            return host_key(str(record.target))
        return None

    async def addresses(self, name: str) -> set[str]:
        """Returns the IPv4 and IPv6 addresses, with aliases followed."""
        return {
            str(record.address) for kind in ("A", "AAAA") for record in await self._ask(name, kind)
        }

    async def _ask(self, name: str, kind: str) -> list:  # type: ignore[type-arg]
        if self._resolver is None:
            self._resolver = resolver_for(self.servers)
        try:
            return list(await self._resolver.resolve(name, kind, lifetime=WITHIN, search=False))
        except NO_RECORD:
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise Unavailable(f"no name server answers ({type(error).__name__})") from None
