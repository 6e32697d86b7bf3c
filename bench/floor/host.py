"""`python -m bench.floor.host gateway|service|both FILE`: the processes of a floor.

`FILE` is JSON with `nats` (URL), `dsn`, `port` and `documents` (bodies by path).
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import uvloop
from nats.aio.msg import Msg

from bench.floor.gateway import Call, HttpConnection, json_response
from bench.floor.service import SUBJECT, Service
from common.db import Database
from common.nats_client import NatsClient

CALLS: Final = "floor.call"
TIMEOUT: Final = 10.0


async def gateway(settings: dict[str, Any]) -> None:
    """Answers HTTP. The service is behind the bus."""
    bus = await _connect(settings)

    async def call(method: str, body: bytes) -> bytes:
        return (await bus.request(f"{CALLS}.{method}", body, TIMEOUT)).data

    await _serve(settings, call)


async def service(settings: dict[str, Any]) -> None:
    """Answers calls that come over the bus."""
    bus = await _connect(settings)
    methods = (await _service(bus, settings)).methods
    calls = await bus.subscribe(f"{CALLS}.*", queue="floor")
    tasks: set[asyncio.Task[None]] = set()

    async def answer(msg: Msg) -> None:
        bus.send(msg.reply, await methods[msg.subject.rpartition(".")[2]](msg.data))

    def receive(msg: Msg) -> None:
        task = asyncio.create_task(answer(msg))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    bus.receive(calls, receive)
    await asyncio.Event().wait()


async def both(settings: dict[str, Any]) -> None:
    """Answers HTTP, with the service in the same process. The bus carries records only."""
    methods = (await _service(await _connect(settings), settings)).methods
    await _serve(settings, lambda method, body: methods[method](body))


async def _connect(settings: dict[str, Any]) -> NatsClient:
    bus = NatsClient()
    await bus.connect(settings["nats"])
    return bus


async def _service(bus: NatsClient, settings: dict[str, Any]) -> Service:
    stream = bus.jetstream()
    await stream.add_stream(name="floor", subjects=[SUBJECT])
    return Service(await Database.connect(settings["dsn"], name="floor"), stream)


async def _serve(settings: dict[str, Any], call: Call) -> None:
    documents = {
        path.encode(): json_response(body.encode()) for path, body in settings["documents"].items()
    }
    server = await asyncio.get_running_loop().create_server(
        lambda: HttpConnection(documents, call), "127.0.0.1", settings["port"]
    )
    await server.serve_forever()


PARTS: Final[dict[str, Callable[[dict[str, Any]], Coroutine[Any, Any, None]]]] = {
    "gateway": gateway,
    "service": service,
    "both": both,
}

if __name__ == "__main__":
    uvloop.run(PARTS[sys.argv[1]](json.loads(Path(sys.argv[2]).read_text())))
