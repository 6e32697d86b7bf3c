"""Runs a service: connects, serves its contracts, and drains on a signal to stop."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, Protocol, TypeVar

import uvloop

from common import crash_lines, logs, metrics, tracing
from common.bus import Handlers
from common.bus_server import BusServer
from common.cluster_settings import ClusterMistake
from common.connection_poolers import PoolerFound
from common.connections import Connections, connect
from common.environment_settings import read_settings
from common.in_process_bus import SharedProcess
from common.known_variables import warn_of_unknown
from common.master_keys import MasterKeyMissing
from common.metrics_server import serve_metrics
from common.process_life import (
    Lives,
    ServiceLife,
    retry_until_done,
    run_until_stopped,
    watch_servers,
)
from common.settings import Settings
from common.version import VERSION

log = logs.get(__name__)

S = TypeVar("S", bound=Settings)
HURRY: Final = 3.0
"""Seconds that calls have to end if the whole platform stops."""
Start = Callable[[S, Connections], Awaitable[tuple[Any, Handlers]]]
"""Builds a service's Deps and names its handlers."""
Open = Callable[[SharedProcess | None], Coroutine[Any, Any, ServiceLife]]
"""Starts a service. The argument is what it shares with the other services of its process."""


class Program(Protocol):
    """A service or the gateway, as a process runs it."""

    @property
    def name(self) -> str: ...

    @property
    def settings_class(self) -> type[Settings]: ...

    @property
    def has_listener(self) -> bool:
        """Whether it serves metrics itself."""
        ...

    def warm_up(self) -> None:
        """Does what needs no settings, and takes a while. A process may do this before it has any."""
        ...

    def prepare(self, settings: Any) -> Open:
        """Does what must come before all else, such as opening a port. Exits if that fails."""
        ...


@dataclass(frozen=True)
class ServiceProgram(Generic[S]):
    """A service: its name, its settings, and how it starts."""

    name: str
    settings_class: type[S]
    start: Start[S]
    has_listener: bool = False

    def warm_up(self) -> None:
        """Does nothing: the import of the service's modules is all."""

    def prepare(self, settings: S) -> Open:
        """Returns how to start the service with these settings."""
        return partial(self._open, settings)

    async def _open(self, settings: S, process: SharedProcess | None) -> ServiceLife:
        links = await retry_until_done(lambda: connect(settings, self.name, process), "nats")
        deps, handlers = await retry_until_done(lambda: self.start(settings, links), "start")
        server = await BusServer.start(
            links.nc,
            self.name,
            VERSION,
            deps,
            concurrency=settings.concurrency,
            queue=settings.queue,
            replica=settings.replica,
        )
        for contract, handler in handlers.items():
            await server.add(contract, handler)
        await links.nc.flush()  # ready means that the server knows every subscription
        links.serve(server)
        if process is not None:
            process.add(server)
        log.info("ready", contracts=len(handlers))

        async def drain(hurry: bool) -> None:
            await server.drain(HURRY if hurry else None)

        return ServiceLife(links, drain, deps)


def run(program: Program) -> None:
    """Runs a process with one service from its start to its end. If it cannot start, prints one
    sentence and exits with 1."""
    logs.configure(program.name)
    crash_lines.install()
    settings = read_settings(program.settings_class, program.name)
    logs.configure(program.name, settings.log_level, settings.replica)
    warn_of_unknown(os.environ)
    start_tracing(program.name, settings.replica)
    try:
        opening = _open_alone(program, settings, program.prepare(settings))
        uvloop.run(run_until_stopped(opening, settings.heartbeat))
    except (MasterKeyMissing, PoolerFound, ClusterMistake) as error:
        print(f"{program.name}: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None


def start_tracing(name: str, replica: str) -> None:
    """Switches tracing on if it is configured. Prints one sentence and exits with 1 if the variables are
    wrong."""
    try:
        tracing.start(name, replica)
    except tracing.TracingMisconfigured as error:
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(1) from None


async def _open_alone(program: Program, settings: Settings, open_: Open) -> Lives:
    lives = [await open_(None)]
    joined = settings.metrics_folder is not None  # by a gateway, which may be another one
    await attend(lives, settings, program.name if joined or not program.has_listener else "")
    return lives


async def attend(lives: Lives, settings: Settings, metrics_of: str) -> None:
    """Watches the servers of a process, and serves its metrics under a name. Without the name, one of its
    services does that itself."""
    links = lives[0].links
    metrics.maintain(metrics.BUILD_INFO)
    if metrics_of:
        links.metrics = await serve_metrics(settings, metrics_of)
    links.spawn(watch_servers(lives), "servers")
