"""The dependencies that every service with tables gives its handlers, and how they are opened."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import nats.errors

from common.audit import ActivityRecorder
from common.audit_carrier import AuditCarrier
from common.bus import Bus
from common.cluster_admission import ClusterAdmission
from common.cluster_settings import read_clusters
from common.clusters import join, refuse_unknown_homes
from common.connections import Connections
from common.crypto import Keys
from common.cursors import Cursors
from common.db import Database
from common.db_errors import FAILURES
from common.homes import MAIN
from common.invalidation import Invalidation
from common.master_keys import recognize
from common.outbox import Relay, ensure_stream, waking
from common.outbox_publisher import BatchPublisher
from common.problems import Unavailable
from common.sealing import Sealer
from common.settings import DatabaseSettings
from common.tenants import Tenants
from common.worker import WakeableWorker


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

    def at(self, home: str) -> Self:
        """Returns the same dependencies for a job on the applications of one cluster."""
        parted: dict[str, Any] = {
            name: each.at(home)
            for name, each in vars(self).items()
            if isinstance(each, (Database, WakeableWorker))
        }
        return replace(self, **parted)

    def everywhere(self) -> list[Self]:
        """Returns the dependencies of a job for each cluster, `main` first: with one cluster, these."""
        return [self.at(each.home) for each in self.db.everywhere()]

    async def home_of(self, app_id: str) -> str:
        """Returns the cluster of an application. Raises ApplicationNotFound."""
        if len(self.db.members) < 2:
            return MAIN
        return await self.tenants.home_of(app_id)

    def shared(self) -> dict[str, Any]:
        """Returns the shared fields as arguments for the constructor of a service's own `Deps`."""
        return {each.name: getattr(self, each.name) for each in fields(ServiceDeps)}


async def open_service_deps(settings: DatabaseSettings, links: Connections) -> ServiceDeps:
    """Connects to Postgres, makes sure of the stream and starts the relay, in each cluster.

    The databases close when the process ends, after its tasks have stopped and before NATS. Raises
    MasterKeyMissing if the database was written under a master key that the settings lack, and
    ClusterMistake.
    """
    relay_db = await open_job(settings, links, "relay")
    db = await open_database(
        settings, links, "database_url", name=links.name, size=settings.pool_size
    )
    await refuse_unknown_homes(db)
    keys = await _recognize(db, settings.keys)
    with contextlib.suppress(nats.errors.Error, TimeoutError):
        await ensure_stream(links.js, replicas=settings.stream_replicas)
    db = _with_relays(settings, links, db, relay_db)
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


async def open_job(settings: DatabaseSettings, links: Connections, job: str) -> Database:
    """Connects with the role of a job that speaks of all applications, in each cluster."""
    name = f"{links.name}-{job}"
    return await open_database(settings, links, f"{job}_database_url", name=name, size=2)


async def open_database(
    settings: DatabaseSettings,
    links: Connections,
    setting: str,
    *,
    name: str,
    size: int,
    is_registry: bool = False,
) -> Database:
    """Connects to each cluster by its own URL of a setting. A registry is on `main` alone."""
    clusters = read_clusters(settings, links.name, os.environ)
    admission = ClusterAdmission() if len(clusters) > 1 else None
    databases = []
    for home in [MAIN] if is_registry else clusters:
        database = await Database.connect(
            clusters[home][setting],
            name=name if home == MAIN else f"{name}-{home}",
            size=size,
            home=home,
            admission=admission,
            is_registry=is_registry,
        )
        links.databases.append(database)
        databases.append(database)
    return join(databases) if len(databases) > 1 else databases[0]


async def _recognize(db: Database, keys: Keys) -> Keys:
    """Returns the keys with those that `main` remembers. Another cluster that is away is asked at a later
    start. Raises MasterKeyMissing."""
    main, *others = db.everywhere()
    recognized = await recognize(main, keys)
    for each in others:
        with contextlib.suppress(*FAILURES, Unavailable):
            await recognize(each, keys)
    return recognized


def _with_relays(
    settings: DatabaseSettings, links: Connections, db: Database, relay_db: Database
) -> Database:
    """Starts a relay for each cluster, which each commit there wakes."""
    databases = []
    for each in db.everywhere():
        publisher = BatchPublisher(links.nc, links.js, links.name)
        relay = Relay(relay_db.at(each.home), publisher, settings.stream_replicas)
        links.spawn(relay.run(), "relay")
        databases.append(replace(each, on_commit=waking(relay.wake)))
    if len(databases) < 2:
        return databases[0]
    carriers = {
        each.home: AuditCarrier(links.name, db, relay_db.at(each.home), links.tenants.home_of)
        for each in databases
    }
    for carrier in carriers.values():
        links.spawn(carrier.run(), "audit transfers")
    return join([replace(each, carry=carriers[each.home].carry) for each in databases])
