"""The connections of a process: NATS, and what is built on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from nats.aio.client import Client
from nats.js import JetStreamContext

from common import logs, metrics
from common.audit import Activity
from common.bus import NatsBus
from common.db import Database
from common.in_process_bus import InProcessBus, SharedProcess
from common.invalidation import NatsInvalidation
from common.nats_client import NatsClient
from common.settings import Settings
from common.tenants import Tenants

log = logs.get(__name__)

REFUSED: Final = "authorization violation"
"""The answer of a server to a wrong user or password."""


@dataclass
class Connections:
    """The connections of a process, and its tasks."""

    name: str
    nc: NatsClient
    js: JetStreamContext
    bus: NatsBus
    invalidation: NatsInvalidation
    tenants: Tenants
    activity: Activity
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    databases: list[Database] = field(default_factory=list)
    on_reconnect: list[Callable[[], None]] = field(default_factory=list)
    metrics: asyncio.Server | None = None

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Starts a task for the life of the process. If the task dies, so does the process."""
        task = asyncio.create_task(work, name=name)
        self.tasks.append(task)
        return task


class _NatsEvents:
    """The callbacks of a NATS connection."""

    def __init__(self, bus: NatsBus) -> None:
        self.bus = bus
        self.on_reconnect: list[Callable[[], None]] = []
        """Called when the connection is lost and when it is back: messages were missed."""
        self.closed = asyncio.Event()
        """nats-py has given up, or every server refuses the password."""
        self._leaving: asyncio.Task[None] | None = None
        self._refusals: int | None = None
        """How often the password was refused since the connection was lost. None while there is a
        connection, and before the first one."""

    async def disconnected(self) -> None:
        log.warning("nats.disconnected")
        self._refusals = 0
        self._call_all()

    async def reconnected(self) -> None:
        log.info("nats.reconnected")
        self._refusals = None
        metrics.NATS_RECONNECTS.inc()
        self._call_all()

    def _call_all(self) -> None:
        for callback in self.on_reconnect:
            callback()

    async def connection_closed(self) -> None:
        self.closed.set()

    async def server_stops(self) -> None:
        # Not awaited: nats-py calls this where it reads, and replies must be read meanwhile.
        self._leaving = asyncio.create_task(self.bus.lame_duck.announced(), name="lame duck")

    async def failed(self, error: Exception) -> None:
        log.warning("nats.error", error=type(error).__name__, detail=str(error)[:200])
        if self._refusals is not None and REFUSED in str(error).lower():
            self._refusals += 1
            if self._refusals >= len(self.bus.nc.servers):  # nats-py would try again for ever
                self.closed.set()


async def connect(
    settings: Settings, name: str, process: SharedProcess | None = None
) -> Connections:
    """Connects to NATS and subscribes to invalidation messages. `process` is what the service shares
    with others of its process, if there are any. Raises what nats-py raises."""
    nc = NatsClient()
    bus = NatsBus(nc) if process is None else InProcessBus(nc, process)
    events = _NatsEvents(bus)
    metrics.follow(metrics.NATS, nc, lambda client: client.is_connected, all)
    metrics.maintain(metrics.NATS_RECONNECTS)
    await _connect(nc, settings, name, events)
    invalidation = NatsInvalidation(nc, same_process=process.invalidation if process else None)
    tenants = Tenants(bus)
    invalidation.listeners.append(tenants.on_invalidation)
    events.on_reconnect.append(tenants.cache.clear)
    await invalidation.listen()
    links = Connections(
        name=name,
        nc=nc,
        js=nc.jetstream(timeout=3),
        bus=bus,
        invalidation=invalidation,
        tenants=tenants,
        activity=Activity(nc, name),
        on_reconnect=events.on_reconnect,
    )
    links.spawn(links.activity.run(), "activity")
    links.spawn(_end_with(events.closed), "nats")
    return links


async def _connect(nc: Client, settings: Settings, name: str, events: _NatsEvents) -> None:
    password = settings.nats_password
    await nc.connect(
        settings.nats_servers,
        name=f"aero2-{name}",
        user=settings.nats_user,
        password=password.get_secret_value() if password else None,
        inbox_prefix=f"_INBOX_{name}",
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.25,  # type: ignore[arg-type] # seconds, whole or not
        ping_interval=5,
        max_outstanding_pings=2,
        connect_timeout=2,
        allow_reconnect=True,
        disconnected_cb=events.disconnected,
        reconnected_cb=events.reconnected,
        closed_cb=events.connection_closed,
        lame_duck_mode_cb=events.server_stops,
        error_cb=events.failed,
        pending_size=4 * 1024 * 1024,
        skip_subject_validation=True,  # all subjects are made of contracts' names and ids
    )


async def _end_with(closed: asyncio.Event) -> None:
    """Ends the process once nats-py has given up, for example because a password has changed. A new
    process reads its settings again and tries again."""
    await closed.wait()
    raise ConnectionError("NATS has closed the connection for good, or refuses the password")
