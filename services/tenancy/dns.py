"""What the domain name system says: proof that somebody controls a domain."""

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
"""Seconds for one question, all servers and retries included."""
NOTHING = (
    dns.resolver.NXDOMAIN,
    dns.resolver.NoAnswer,
    dns.name.EmptyLabel,
    dns.name.LabelTooLong,
    dns.name.NameTooLong,
)


def _resolver(servers: Sequence[str]) -> dns.asyncresolver.Resolver:
    """`servers` are `address` or `address:port` (IPv4); none: as the machine is configured."""
    if not servers:
        return dns.asyncresolver.Resolver()
    made = dns.asyncresolver.Resolver(configure=False)
    split = [server.partition(":") for server in servers]
    made.nameservers = [address for address, _, _ in split]
    made.nameserver_ports = {address: int(port) for address, _, port in split if port}
    return made


@dataclass
class Dns:
    """Asks the configured servers, keeps nothing: who just made a record wants it seen."""

    servers: Sequence[str] = ()
    _made: dns.asyncresolver.Resolver | None = field(default=None, repr=False)

    async def txt(self, name: str) -> list[str]:
        """The texts at a name, each with its strings joined. Raises Unavailable where no server
        answers."""
        return [
            b"".join(record.strings).decode(errors="replace")
            for record in await self._ask(name, "TXT")
        ]

    async def cname(self, name: str) -> str | None:
        """The canonical name of an alias, in lower case, without the trailing dot."""
        for record in await self._ask(name, "CNAME"):
            return host_key(str(record.target))
        return None

    async def addresses(self, name: str) -> set[str]:
        """IPv4 and IPv6, aliases followed."""
        return {
            str(record.address) for kind in ("A", "AAAA") for record in await self._ask(name, kind)
        }

    async def _ask(self, name: str, kind: str) -> list:  # type: ignore[type-arg]
        if self._made is None:
            self._made = _resolver(self.servers)
        try:
            return list(await self._made.resolve(name, kind, lifetime=WITHIN, search=False))
        except NOTHING:
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise Unavailable(f"no name server answers ({type(error).__name__})") from None
