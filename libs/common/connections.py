"""The connections of a process: NATS, and what is built on it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from nats.aio.client import Client
from nats.js import JetStreamContext

from common import call_hold, logs, metrics
from common.audit import Activity
from common.bus import NatsBus
from common.bus_server import BusServer
from common.db import Database
from common.in_process_bus import SharedProcess
from common.invalidation import NatsInvalidation
from common.nats_client import NatsClient
from common.nats_login_change import LoginChange
from common.nats_logins import NatsLogins
from common.nats_reconnect import ReconnectPlan
from common.nats_tls import client_context
from common.settings import Settings
from common.tenants import Tenants
from common.traced_bus import bus_of

log = logs.get(__name__)

PING_EVERY: Final = 3
"""Seconds between two pings. At the third that finds two others without an answer, the server is left: 6 to 9
seconds after its last word."""
REFUSED: Final = "authorization violation"
"""The answer of a server to a wrong user or password."""
REFUSED_SUBJECT: Final = re.compile(r'permissions violation for subscription to "([^"]*)"', re.I)
"""The answer of a server to a subscription without the right. After a reload it ends one that exists."""


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
    login_change: LoginChange | None = None
    """Follows the file of the NATS password, if there is one."""
    refused_subjects: set[str] = field(default_factory=set)
    """Subjects that the NATS server does not let us hear any more, since a reload of its configuration."""

    server: BusServer | None = None
    """Answers the requests of this connection. None before it does."""

    def serve(self, server: BusServer) -> None:
        """Names the server that answers the requests of this connection."""
        self.server = server
        if self.login_change is not None:
            self.login_change.server = server

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Starts a task for the life of the process. If the task dies, so does the process."""
        task = asyncio.create_task(work, name=name)
        self.tasks.append(task)
        return task


class _NatsEvents:
    """The callbacks of a NATS connection."""

    def __init__(self, bus: NatsBus, logins: NatsLogins | None) -> None:
        self.bus = bus
        self.logins = logins
        self.refused_subjects: set[str] = set()
        self.on_reconnect: list[Callable[[], None]] = []
        """Called when the connection is lost and when it is back: messages were missed."""
        self.reconnect_plan = ReconnectPlan()
        self.closed = asyncio.Event()
        """nats-py has given up, or every server refuses the password."""
        self._leaving: asyncio.Task[None] | None = None
        self._refusals: int | None = None
        """How often the password was refused since the connection was lost. None while there is a
        connection, and before the first one."""

    async def disconnected(self) -> None:
        log.warning("nats.disconnected")
        self._refusals = 0
        self.reconnect_plan.begin(self.bus.nc.server)
        self.refused_subjects.clear()  # it subscribes again
        self._call_all()

    async def reconnected(self) -> None:
        log.info("nats.reconnected")
        self._refusals = None
        metrics.NATS_RECONNECTS.inc()
        if self.logins is not None:
            self.logins.accepted()
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
        subject = REFUSED_SUBJECT.search(str(error))
        if subject is not None and subject[1] != call_hold.SUBJECT:  # an older nats.conf lacks it
            log.error("nats.right_removed", subject=subject[1])
            self.refused_subjects.add(subject[1])
        if self._refusals is not None and REFUSED in str(error).lower():
            self._refusals += 1
            logins = len(self.logins.configured()) if self.logins is not None else 1
            if (
                self._refusals >= len(self.bus.nc.servers) * logins
            ):  # nats-py would try again for ever
                self.closed.set()


async def connect(
    settings: Settings, name: str, process: SharedProcess | None = None
) -> Connections:
    """Connects to NATS and subscribes to invalidation messages. `process` is what the service shares
    with others of its process, if there are any. Raises what nats-py raises."""
    nc = NatsClient()
    bus = bus_of(nc, process)
    logins = _logins(settings)
    events = _NatsEvents(bus, logins)
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
        refused_subjects=events.refused_subjects,
    )
    if logins is not None and logins.may_change:
        further = partial(_connect_further, settings=settings, name=name)
        links.login_change = LoginChange(logins, bus.lame_duck, further)
        links.spawn(links.login_change.follow(), "nats password")
    links.spawn(links.activity.run(), "activity")
    links.spawn(_end_with(events.closed), "nats")
    return links


def _logins(settings: Settings) -> NatsLogins | None:
    if settings.nats_user is None or settings.nats_password is None:
        return None
    return NatsLogins(settings.nats_user, settings.nats_password)


async def _connect_further(nc: NatsClient, *, settings: Settings, name: str) -> None:
    """Connects a client with the newest login. It does not reconnect."""
    logins = _logins(settings)
    assert logins is not None
    user, password = logins.configured()[0]
    await nc.connect(
        settings.nats_servers,
        name=f"aero2-{name}",
        user=user,
        password=password,
        tls=client_context(settings.nats_ca_file),
        inbox_prefix=f"_INBOX_{name}",
        connect_timeout=2,
        allow_reconnect=False,
        skip_subject_validation=True,
    )


async def _connect(nc: Client, settings: Settings, name: str, events: _NatsEvents) -> None:
    logins = events.logins
    await nc.connect(
        settings.nats_servers,
        name=f"aero2-{name}",
        user=logins.user if logins else None,
        password=logins.password if logins else None,
        tls=client_context(settings.nats_ca_file),
        inbox_prefix=f"_INBOX_{name}",
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.25,  # type: ignore[arg-type] # seconds, whole or not
        reconnect_to_server_handler=events.reconnect_plan.next,
        ping_interval=PING_EVERY,
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
    if logins is not None:
        logins.accepted()


async def _end_with(closed: asyncio.Event) -> None:
    """Ends the process once nats-py has given up, for example because a password has changed. A new
    process reads its settings again and tries again."""
    await closed.wait()
    raise ConnectionError("NATS has closed the connection for good, or refuses the password")
