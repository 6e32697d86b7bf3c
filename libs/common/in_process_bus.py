"""The bus between services of one process (ADR 18): a contract that is served here is answered in
memory, through the same checks as over NATS. Services know nothing of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import nats.errors
from nats.micro.request import ERROR_CODE_HEADER

from common import logs
from common.bus import NatsBus, problem_of_reply
from common.bus_server import BusServer
from common.circuit_breaker import service_of
from common.context import HEADER, Context
from common.contracts.base import Request
from common.invalidation import SameProcess
from common.nats_client import NatsClient
from common.problems import Invalid, TooLate

log = logs.get(__name__)


@dataclass
class SharedProcess:
    """The services of one process: which of them serves a contract, and which hear of changes."""

    invalidation: SameProcess = field(default_factory=SameProcess)
    _servers: dict[type[Request[Any]], BusServer] = field(default_factory=dict)

    def add(self, server: BusServer) -> None:
        """Answers the contracts of a server in memory from now on."""
        self._servers |= dict.fromkeys(server.handlers, server)

    def server_of(self, contract: type[Request[Any]]) -> BusServer | None:
        """Returns the server of a contract. Returns None if it is not in this process, stops, or has
        lost NATS: then its caller asks over NATS, as in a process of its own."""
        server = self._servers.get(contract)
        return server if server is not None and server.reachable else None


class InProcessMessage:
    """A request that does not leave the process, with what a BusServer uses of nats.micro's Request."""

    __slots__ = ("_max_payload", "data", "headers", "reply")

    def __init__(self, data: bytes, headers: dict[str, str], max_payload: int) -> None:
        self.data, self.headers, self._max_payload = data, headers, max_payload
        loop = asyncio.get_running_loop()
        self.reply: asyncio.Future[tuple[bytes, dict[str, str]]] = loop.create_future()

    async def respond(self, data: bytes, headers: dict[str, str] | None = None) -> None:
        """Delivers the reply, unless the caller has gone. Raises nats.errors.MaxPayloadError for a
        reply that NATS would not carry."""
        self.respond_at_once(data, headers or {})

    def respond_at_once(self, data: bytes, headers: dict[str, str]) -> None:
        """Delivers the reply as `respond` does."""
        if len(data) > self._max_payload:
            raise nats.errors.MaxPayloadError
        if not self.reply.done():
            self.reply.set_result((data, headers))

    def expire(self) -> None:
        """Ends the wait of the caller."""
        if not self.reply.done():
            self.reply.set_exception(TooLate())


class InProcessBus(NatsBus):
    """The bus of a service that shares its process with others. Request and reply are JSON here too,
    so that callers and handlers never share an object."""

    def __init__(self, nc: NatsClient, process: SharedProcess) -> None:
        super().__init__(nc)
        self._process = process

    async def send_once(
        self, ctx: Context, contract: type[Request[Any]], subject: str, body: bytes
    ) -> bytes:
        """Hands a request to its server in this process, or sends it over NATS. Returns the reply.
        Raises what `call` raises."""
        server = self._process.server_of(contract)
        if server is None:
            return await super().send_once(ctx, contract, subject, body)
        # Without NATS it fails here too: other processes could not hear of changes.
        left = await self.time_left(ctx, subject)
        if len(body) > self.nc.max_payload:
            raise Invalid("the request is too large")
        message = InProcessMessage(body, {HEADER: ctx.encode()}, self.nc.max_payload)
        # A task of the server's own answers: it goes on if the caller is cancelled.
        server.receive(contract, message, subject)
        timer = asyncio.get_running_loop().call_later(left, message.expire)
        try:
            data, headers = await message.reply
        except TooLate:
            log.warning("no answer in time", subject=subject, trace=ctx.trace)
            raise
        finally:
            timer.cancel()
        self.breaker.answered(service_of(contract.subject))
        if ERROR_CODE_HEADER in headers:
            raise problem_of_reply(data)
        return data
