"""The dependencies of the handlers of the tenancy service."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from common.cluster_settings import ClusterMistake
from common.connections import Connections
from common.context import system_context
from common.contracts.applications import ApplicationNotFound
from common.db import Database
from common.homes import MAIN
from common.service_deps import ServiceDeps, open_database, open_job, open_service_deps
from tenancy.api_key_usage import KeyUsage
from tenancy.audit_stream import AuditStream
from tenancy.cloudflare import CustomHostnames
from tenancy.dns_lookup import Dns
from tenancy.hosts import Hosts
from tenancy.queries import applications
from tenancy.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Deps(ServiceDeps):
    """The shared fields, and what tenancy needs beyond them."""

    upkeep_db: Database
    sweep_db: Database
    hosts: Hosts
    usage: KeyUsage
    dns: Dns = field(default_factory=Dns)
    hostnames: CustomHostnames | None = None
    """None where our own proxy gets the certificates."""
    streams: AuditStream | None = None
    bootstrap_keys_file: str | None = None
    slug_quarantine_days: int = 365
    new_applications_home: str = MAIN
    """The cluster of new applications."""
    registry_db: Database | None = None
    """None with one cluster."""

    @property
    def registry(self) -> Database:
        """The database for the tables that find an application, wherever it lives: in `main`."""
        return self.registry_db or self.db.at(MAIN)

    async def home_of(self, app_id: str) -> str:
        """Returns the cluster of an application, from the registry: on the bus, no service may ask itself.
        Raises ApplicationNotFound."""
        if len(self.db.members) < 2:
            return MAIN
        async with self.registry.reader(system_context(app_id)) as db:
            row = await applications.by_id(db, id=app_id)
        if row is None:
            raise ApplicationNotFound
        return row.home


async def open_deps(settings: Settings, links: Connections) -> Deps:
    """Opens the databases and starts to write when API keys were last used."""
    common = await open_service_deps(settings, links)
    upkeep_db = await open_job(settings, links, "upkeep")
    usage = KeyUsage(upkeep_db)
    links.spawn(usage.run(), "key usage")
    return Deps(
        **common.shared(),
        upkeep_db=upkeep_db,
        sweep_db=await open_job(settings, links, "sweep"),
        hosts=Hosts(settings.scheme, settings.domain),
        usage=usage,
        dns=Dns([server.strip() for server in settings.dns_servers.split(",") if server.strip()]),
        hostnames=settings.hostnames,
        streams=AuditStream(links.js, upkeep_db),
        bootstrap_keys_file=settings.bootstrap_keys_file,
        slug_quarantine_days=settings.slug_quarantine_days,
        new_applications_home=_home_of_new(settings, common.db),
        registry_db=await _open_registry(settings, links, common.db),
    )


def _home_of_new(settings: Settings, db: Database) -> str:
    home = settings.new_applications_home
    if home not in (known := [each.home for each in db.everywhere()]):
        raise ClusterMistake(f"AERO2_NEW_APPLICATIONS_HOME is none of {', '.join(known)}.")
    return home


async def _open_registry(settings: Settings, links: Connections, db: Database) -> Database | None:
    """Connects to `main`, for the applications of all clusters. Its commits do what those of `db` do."""
    if len(db.members) < 2:
        return None
    opened = await open_database(
        settings,
        links,
        "database_url",
        name=f"{links.name}-registry",
        size=settings.pool_size,
        is_registry=True,
    )
    return replace(opened, on_commit=db.on_commit, carry=db.carry)
