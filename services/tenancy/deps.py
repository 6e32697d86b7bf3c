"""What tenancy's handlers work with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from common.bus import Bus
from common.changes import Changes
from common.context import Context
from common.crypto import Keys
from common.cursors import Cursors
from common.db import Database
from common.events.base import Event
from common.sealing import Sealer
from common.tenants import Tenants
from tenancy.dns import Dns
from tenancy.hostnames import CustomHostnames
from tenancy.hosts import Hosts
from tenancy.key_usage import KeyUsage


class Streams(Protocol):
    """What the bus keeps of an application."""

    async def forget(self, app_id: str) -> None:
        """Raises Unavailable where that is not possible yet."""
        ...


class Notes(Protocol):
    """Activity: events that go to the stream without a transaction of their own."""

    def note(self, ctx: Context, event: Event, *, user_id: str | None = None) -> None: ...


@dataclass(frozen=True)
class Deps:
    db: Database
    platform: Database
    sealer: Sealer
    bus: Bus
    changes: Changes
    tenants: Tenants
    activity: Notes
    keys: Keys
    cursors: Cursors
    hosts: Hosts
    usage: KeyUsage
    dns: Dns = field(default_factory=Dns)
    hostnames: CustomHostnames | None = None
    """None where our own front gets the certificates."""
    streams: Streams | None = None
    bootstrap_keys_file: str | None = None
    slug_quarantine_days: int = 365
