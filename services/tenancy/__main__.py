"""`python -m tenancy`"""

from __future__ import annotations

from common.bus import Handlers
from common.cursors import Cursors
from common.service import Links, open_job, open_stores, run
from common.sweeps import sweeping
from tenancy import audit_retention, domain_watch, provisioning
from tenancy.audit_sealing import Sealing
from tenancy.deletion import AuditStream
from tenancy.deps import Deps
from tenancy.dns import Dns
from tenancy.handlers import HANDLERS
from tenancy.hosts import Hosts
from tenancy.key_usage import KeyUsage
from tenancy.queries.sweeps import EXPIRED
from tenancy.settings import TenancySettings


async def start(settings: TenancySettings, links: Links) -> tuple[Deps, Handlers]:
    stores = await open_stores(settings, links)
    upkeep_db = await open_job(settings.upkeep_database_url, links, "upkeep")
    sweep_db = await open_job(settings.sweep_database_url, links, "sweep")
    deps = Deps(
        db=stores.db,
        upkeep_db=upkeep_db,
        sealer=stores.sealer,
        bus=links.bus,
        changes=links.changes,
        tenants=links.tenants,
        activity=links.activity,
        keys=stores.keys,
        cursors=Cursors(stores.keys),
        hosts=Hosts(settings.scheme, settings.domain),
        usage=KeyUsage(upkeep_db),
        dns=Dns([server.strip() for server in settings.dns_servers.split(",") if server.strip()]),
        hostnames=settings.hostnames,
        streams=AuditStream(links.js, upkeep_db),
        bootstrap_keys_file=settings.bootstrap_keys_file,
        slug_quarantine_days=settings.slug_quarantine_days,
    )
    links.spawn(deps.usage.run(), "key usage")
    links.spawn(provisioning.sweep(deps, settings.sweep_every), "provisioning")
    links.spawn(Sealing(deps, links.nc).run(), "audit sealing")
    links.spawn(audit_retention.keeping(deps), "audit retention")
    links.spawn(sweeping(sweep_db, EXPIRED), "sweeps")
    links.spawn(domain_watch.watch(deps), "domains")
    return deps, HANDLERS


if __name__ == "__main__":
    run("tenancy", TenancySettings, start)
