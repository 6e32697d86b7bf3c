"""Starts the gateway: `python -m gateway`."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from functools import partial

from common import logs
from common.connections import connect
from common.in_process_bus import SharedProcess
from common.process_life import ServiceLife, retry_until_done
from common.service import Open, run
from gateway.admission.replicas import Replicas
from gateway.build import api_paths, build, build_internal
from gateway.http import sockets as listening
from gateway.http.slow_clients import Connection, connection_limit
from gateway.monitoring.announcement import announce
from gateway.pages.template_compilation import compile_templates
from gateway.server import server_of
from gateway.settings import GatewaySettings
from gateway.state import Gateway

log = logs.get(__name__)


@dataclass(frozen=True)
class GatewayProgram:
    """The gateway as a process runs it. Its internal listener serves the metrics."""

    name: str = "gateway"
    settings_class: type[GatewaySettings] = GatewaySettings
    has_listener: bool = True

    def warm_up(self) -> None:
        """Analyses the functions of the JSON API, which FastAPI otherwise does for the first request."""
        api_paths()

    def prepare(self, settings: GatewaySettings) -> Open:
        """Opens the ports, and returns how to start the gateway on them. Exits with one sentence if
        a port cannot be opened."""
        public, internal = listening.public(settings), listening.internal(settings)
        return partial(serve, settings, public, internal)


async def serve(
    settings: GatewaySettings,
    public: socket.socket,
    internal: socket.socket | None,
    process: SharedProcess | None,
) -> ServiceLife:
    """Starts the gateway. `internal` is None if metrics are off."""
    links = await retry_until_done(lambda: connect(settings, "gateway", process), "nats")
    gateway = Gateway(settings, links.bus, links)
    links.invalidation.listeners.append(gateway.invalidate)
    links.on_reconnect.append(gateway.forget_all)
    gateway.discovery.own_id = await announce(links.nc, gateway.served, settings.replica)
    await links.bus.hold.listen(links.nc)
    links.spawn(Replicas(links.nc, gateway.limits.divide).run(), "replicas")
    Connection.limit = connection_limit()
    listeners = [(server_of(build(gateway)), public, "http")]
    if internal is not None:
        listeners.append((server_of(build_internal(gateway)), internal, "internal http"))
    tasks = {links.spawn(server.serve(sockets=[at]), name) for server, at, name in listeners}
    compiling = asyncio.create_task(compile_templates(), name="templates")

    async def drain(hurry: bool) -> None:
        compiling.cancel()
        gateway.stops = True
        lame_duck = settings.lame_duck
        await asyncio.gather(*(each.stop(lame_duck, hurry=hurry) for each, _, _ in listeners))
        gateway.followers.end_all()
        await asyncio.wait(tasks)

    log.info("ready", host=settings.host, port=settings.port)
    return ServiceLife(links, drain, front=True)


SERVICE = GatewayProgram()

if __name__ == "__main__":
    run(SERVICE)
