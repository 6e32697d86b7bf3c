"""The dependencies of the handlers of the tenancy service."""

from __future__ import annotations

from dataclasses import dataclass, field

from common.connections import Connections
from common.db import Database
from common.service_deps import ServiceDeps, open_job, open_service_deps
from tenancy.api_key_usage import KeyUsage
from tenancy.audit_stream import AuditStream
from tenancy.cloudflare import CustomHostnames
from tenancy.dns_lookup import Dns
from tenancy.hosts import Hosts
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


async def open_deps(settings: Settings, links: Connections) -> Deps:
    """Opens the databases and starts to write when API keys were last used."""
    common = await open_service_deps(settings, links)
    upkeep_db = await open_job(settings.upkeep_database_url, links, "upkeep")
    usage = KeyUsage(upkeep_db)
    links.spawn(usage.run(), "key usage")
    return Deps(
        **common.shared(),
        upkeep_db=upkeep_db,
        sweep_db=await open_job(settings.sweep_database_url, links, "sweep"),
        hosts=Hosts(settings.scheme, settings.domain),
        usage=usage,
        dns=Dns([server.strip() for server in settings.dns_servers.split(",") if server.strip()]),
        hostnames=settings.hostnames,
        streams=AuditStream(links.js, upkeep_db),
        bootstrap_keys_file=settings.bootstrap_keys_file,
        slug_quarantine_days=settings.slug_quarantine_days,
    )
