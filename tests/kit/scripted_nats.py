"""A NATS server that does what a test says: it stops reading, says nothing, or sends nonsense."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

INFO = b'INFO {"server_id":"s","version":"2.15.0","headers":true,"max_payload":1048576}\r\n'


@dataclass
class ScriptedNats:
    """Accepts clients, answers each PING, and keeps what is sent after the first PING."""

    greeting: bytes = b"PONG\r\n"
    """Sent after the first PING of a connection."""
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether the server reads from the client that came last."""
    answers_pings: bool = True
    received: bytearray = field(default_factory=bytearray)
    """What the client that came last has sent."""
    greeted: bytearray = field(default_factory=bytearray)
    """What all clients have sent up to their first PING."""
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def send(self, data: bytes) -> None:
        """Sends bytes to the client that came last."""
        self.writers[-1].write(data)

    def sid(self, subject: bytes) -> bytes:
        """Returns the id under which a client subscribed."""
        lines = [line.split() for line in bytes(self.received).split(b"\r\n")]
        return next(line[-1] for line in lines if line[:2] == [b"SUB", subject])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(INFO)
        with contextlib.suppress(OSError):
            while (line := await reader.readline()) not in (b"PING\r\n", b""):
                self.greeted += line
            writer.write(self.greeting)
            self.writers.append(writer)
            self.received = received = bytearray()
            self.reads = reads = asyncio.Event()
            reads.set()
            while True:
                await reads.wait()
                if not (data := await reader.read(65536)):
                    break
                received += data
                if self.answers_pings:
                    writer.write(b"PONG\r\n" * data.count(b"PING\r\n"))
        writer.close()


@contextlib.asynccontextmanager
async def scripted_nats() -> AsyncIterator[ScriptedNats]:
    """Runs a server until the test ends."""
    script = ScriptedNats()
    server = await asyncio.start_server(script._serve, "127.0.0.1", 0)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()
        for writer in script.writers:
            writer.transport.abort()
