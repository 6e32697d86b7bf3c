"""A DNS server on loopback for tests: answers over UDP from a dictionary."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset


@dataclass
class Zone(asyncio.DatagramProtocol):
    """`records[name, type]` are texts; a name without any record does not exist. While `broken`,
    every answer is SERVFAIL."""

    records: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    broken: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)
    address: str = ""
    _transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def start(cls) -> Zone:
        loop = asyncio.get_running_loop()
        transport, zone = await loop.create_datagram_endpoint(cls, local_addr=("127.0.0.1", 0))
        host, port = transport.get_extra_info("sockname")
        zone.address = f"{host}:{port}"
        return zone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if self.broken:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif not any(known == name for known, _ in self.records):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif values := self.records.get((name, kind)):
            reply.answer.append(dns.rrset.from_text(question.name, 1, "IN", kind, *values))
        assert self._transport is not None
        self._transport.sendto(reply.to_wire(), addr)

    def stop(self) -> None:
        assert self._transport is not None
        self._transport.close()
