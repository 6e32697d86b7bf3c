"""The dependencies that every service with tables gives its handlers, and how they are opened."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, fields
from typing import Any

import nats.errors
from pydantic import SecretStr

from common.audit import ActivityRecorder, waking
from common.bus import Bus
from common.connections import Connections
from common.crypto import Keys
from common.cursors import Cursors
from common.db import Database
from common.invalidation import Invalidation
from common.master_keys import recognize
from common.outbox import Relay, ensure_stream
from common.outbox_publisher import BatchPublisher
from common.sealing import Sealer
from common.settings import DatabaseSettings
from common.tenants import Tenants


@dataclass(frozen=True, kw_only=True)
class ServiceDeps:
    """The fields that all services share. Each service's `Deps` extends it with its own."""

    db: Database
    """Connected with the service's own role, which sees one application at a time."""
    relay_db: Database
    """Connected with the role of the relay, which sees the outbox of all applications."""
    bus: Bus
    invalidation: Invalidation
    tenants: Tenants
    activity: ActivityRecorder
    keys: Keys
    cursors: Cursors
    sealer: Sealer

    def shared(self) -> dict[str, Any]:
        """Returns the shared fields as arguments for the constructor of a service's own `Deps`."""
        return {each.name: getattr(self, each.name) for each in fields(ServiceDeps)}


async def open_service_deps(settings: DatabaseSettings, links: Connections) -> ServiceDeps:
    """Connects to Postgres, makes sure of the stream and starts the relay.

    The databases close when the process ends, after its tasks have stopped and before NATS. Raises
    MasterKeyMissing if the database was written under a master key that the settings lack.
    """
    replicas = settings.stream_replicas
    relay_db = await open_job(settings.relay_database_url, links, "relay")
    publisher = BatchPublisher(links.nc, links.js, links.name)
    relay = Relay(relay_db, publisher, replicas)
    db = await Database.connect(
        settings.database_url,
        name=links.name,
        size=settings.pool_size,
        on_commit=waking(relay.wake),
    )
    links.databases.append(db)
    keys = await recognize(db, settings.keys)
    with contextlib.suppress(nats.errors.Error, TimeoutError):
        await ensure_stream(links.js, replicas=replicas)
    links.spawn(relay.run(), "relay")
    return ServiceDeps(
        db=db,
        relay_db=relay_db,
        bus=links.bus,
        invalidation=links.invalidation,
        tenants=links.tenants,
        activity=links.activity,
        keys=keys,
        cursors=Cursors(keys),
        sealer=Sealer(keys),
    )


async def open_job(dsn: SecretStr, links: Connections, job: str) -> Database:
    """Connects with the role of a job that speaks of all applications."""
    database = await Database.connect(dsn, name=f"{links.name}-{job}", size=2)
    links.databases.append(database)
    return database
