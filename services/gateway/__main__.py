"""Starts the gateway: `python -m gateway`."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Generator
from pathlib import Path

import uvicorn
import uvloop
from pydantic import ValidationError

from common import logs
from common.service import Serving, beat, connect, explain, live, patiently
from gateway.app import build
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
    listening = bind(settings)
    uvloop.run(live(serve(settings, listening)))


def bind(settings: GatewaySettings) -> socket.socket:
    """The listening socket; the port's owner is the first thing to know about."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if settings.reuse_port:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        sys.exit(f"gateway: cannot listen on {where}: {error.strerror}. Is another one running?")
    listening.set_inheritable(True)
    return listening


async def serve(settings: GatewaySettings, listening: socket.socket) -> Serving:
    links = await patiently(lambda: connect(settings, "gateway"), "nats")
    gateway = Gateway(settings, links.bus, links)
    links.changes.listeners.append(gateway.heard)
    links.on_reconnect.append(gateway.forget_all)
    if settings.heartbeat:
        links.spawn(beat(Path(settings.heartbeat), links, None), "heartbeat")
    Connection.most = room()
    server = Server(
        uvicorn.Config(
            build(gateway),
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
    task = links.spawn(server.serve(sockets=[listening]), "http")

    async def drain() -> None:
        server.should_exit = True
        await asyncio.wait({task})

    log.info("ready", host=settings.host, port=settings.port)
    return Serving(links, drain)


if __name__ == "__main__":
    main()
