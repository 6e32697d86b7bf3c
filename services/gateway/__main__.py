"""Starts the gateway: `python -m gateway`."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator
from pathlib import Path

import uvicorn
import uvloop
from pydantic import ValidationError

from common import logs
from common.service import Serving, beat, connect, explain, live, patiently
from gateway import listening
from gateway.app import build, build_internal
from gateway.connections import Connection, room
from gateway.settings import GatewaySettings
from gateway.state import Gateway

log = logs.get(__name__)


class Server(uvicorn.Server):
    """uvicorn without handlers of its own for signals: the process's life is `live`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """uvicorn's own would put the default back before the bus is closed: a second SIGTERM
        would then kill."""
        yield


def main() -> None:
    """Exits 1 with one sentence where it cannot start."""
    try:
        settings = GatewaySettings()
    except ValidationError as error:
        explain("gateway", error)
        raise SystemExit(1) from None
    logs.configure("gateway", settings.log_level)
    public = listening.public(settings)
    internal = None
    if settings.metrics_port:
        internal = listening.bind(
            settings.metrics_host, settings.metrics_port, "AERO2_METRICS_PORT"
        )
    uvloop.run(live(serve(settings, public, internal)))


async def serve(
    settings: GatewaySettings, public: socket.socket, internal: socket.socket | None
) -> Serving:
    """`internal` is None where metrics are off."""
    links = await patiently(lambda: connect(settings, "gateway"), "nats")
    gateway = Gateway(settings, links.bus, links)
    links.changes.listeners.append(gateway.heard)
    links.on_reconnect.append(gateway.forget_all)
    if settings.heartbeat:
        links.spawn(beat(Path(settings.heartbeat), links, None), "heartbeat")
    Connection.most = room()
    listeners = [(_server(build(gateway)), public, "http")]
    if internal is not None:
        listeners.append((_server(build_internal(gateway)), internal, "internal http"))
    tasks = {links.spawn(server.serve(sockets=[at]), name) for server, at, name in listeners}

    async def drain() -> None:
        for server, _, _ in listeners:
            server.should_exit = True
        await asyncio.wait(tasks)

    log.info("ready", host=settings.host, port=settings.port)
    return Serving(links, drain)


def _server(app: object) -> Server:
    return Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]  # uvicorn spells ASGI out as TypedDicts
            http=Connection,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            timeout_keep_alive=30,
            timeout_graceful_shutdown=3,
            h11_max_incomplete_event_size=65_536,
            limit_concurrency=5_000,
            backlog=1024,
        )
    )


if __name__ == "__main__":
    main()
