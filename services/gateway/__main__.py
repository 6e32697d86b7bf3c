"""Starts the gateway: `python -m gateway`."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import uvloop
from pydantic import ValidationError

from common import logs
from common.connections import connect
from common.process_life import ServiceLife, keep_heartbeat, retry_until_done, run_until_stopped
from common.service import print_setting_errors
from gateway.admission.replicas import Replicas
from gateway.build import build, build_internal
from gateway.http import sockets as listening
from gateway.http.slow_clients import Connection, connection_limit
from gateway.monitoring.announcement import announce
from gateway.pages.template_compilation import compile_templates
from gateway.server import server_of
from gateway.settings import GatewaySettings
from gateway.state import Gateway

log = logs.get(__name__)


def main() -> None:
    """Exits 1 with one sentence where it cannot start."""
    try:
        settings = GatewaySettings()
    except ValidationError as error:
        print_setting_errors("gateway", error)
        raise SystemExit(1) from None
    logs.configure("gateway", settings.log_level)
    public = listening.public(settings)
    internal = listening.internal(settings)
    uvloop.run(run_until_stopped(serve(settings, public, internal)))


async def serve(
    settings: GatewaySettings, public: socket.socket, internal: socket.socket | None
) -> ServiceLife:
    """`internal` is None where metrics are off."""
    links = await retry_until_done(lambda: connect(settings, "gateway"), "nats")
    gateway = Gateway(settings, links.bus, links)
    links.invalidation.listeners.append(gateway.invalidate)
    links.on_reconnect.append(gateway.forget_all)
    gateway.discovery.own_id = await announce(links.nc, gateway.served, settings.replica)
    if settings.heartbeat:
        links.spawn(keep_heartbeat(Path(settings.heartbeat), links, None), "heartbeat")
    links.spawn(Replicas(links.nc, gateway.limits.divide).run(), "replicas")
    Connection.limit = connection_limit()
    listeners = [(server_of(build(gateway)), public, "http")]
    if internal is not None:
        listeners.append((server_of(build_internal(gateway)), internal, "internal http"))
    tasks = {links.spawn(server.serve(sockets=[at]), name) for server, at, name in listeners}
    compiling = asyncio.create_task(compile_templates(), name="templates")

    async def drain() -> None:
        compiling.cancel()
        for server, _, _ in listeners:
            server.should_exit = True
        await asyncio.wait(tasks)

    log.info("ready", host=settings.host, port=settings.port)
    return ServiceLife(links, drain)


if __name__ == "__main__":
    main()
