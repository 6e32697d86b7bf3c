"""What tenancy's handlers work with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from common.audit import Notes
from common.bus import Bus
from common.crypto import Keys
from common.cursors import Cursors
from common.db import Database
from common.invalidation import Changes
from common.sealing import Sealer
from common.tenants import Tenants
from tenancy.cloudflare import CustomHostnames
from tenancy.dns import Dns
from tenancy.hosts import Hosts
from tenancy.key_usage import KeyUsage


class Streams(Protocol):
    """What the bus keeps of an application."""

    async def forget(self, app_id: str) -> None:
        """Raises Unavailable where that is not possible yet."""
        ...


@dataclass(frozen=True)
class Deps:
    db: Database
    upkeep_db: Database
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
