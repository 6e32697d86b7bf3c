"""`python -m tenancy`: applications, organizations, domains, API keys, audit log."""

from __future__ import annotations

from common.bus import Handlers
from common.connections import Connections
from common.service import ServiceProgram, run
from common.sweeps import run_sweeps
from tenancy import (
    audit_retention,
    database_metrics,
    domain_recheck,
    org_domain_recheck,
    provisioning,
)
from tenancy.deps import Deps, open_deps
from tenancy.handlers import HANDLERS
from tenancy.queries.sweeps import EXPIRED
from tenancy.sealing_job import SealingJob
from tenancy.settings import Settings


async def start(settings: Settings, links: Connections) -> tuple[Deps, Handlers]:
    """Opens what the handlers need and starts the service's own jobs."""
    deps = await open_deps(settings, links)
    links.spawn(provisioning.sweep(deps, settings.sweep_every), "provisioning")
    links.spawn(SealingJob(deps, links.nc).run(), "audit sealing")
    links.spawn(domain_recheck.run(deps), "domains")
    links.spawn(database_metrics.measure_periodically(deps), "database")
    for each in deps.everywhere():
        links.spawn(audit_retention.run(each), "audit retention")
        links.spawn(run_sweeps(each.sweep_db, EXPIRED), "sweeps")
        links.spawn(org_domain_recheck.run(each), "organization domains")
    return deps, HANDLERS


SERVICE = ServiceProgram("tenancy", Settings, start)

if __name__ == "__main__":
    run(SERVICE)
