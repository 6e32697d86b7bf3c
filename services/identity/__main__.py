"""`python -m identity`: users, sessions, passwords, codes, mail."""

from __future__ import annotations

from common.bus import Handlers
from common.connections import Connections
from common.service import ServiceProgram, run
from common.sweeps import run_sweeps
from identity import (
    dashboard_providers,
    guest_expiry,
    impersonation_end,
    queues,
    stream_metrics,
    unprovisioned_users,
    user_batch_worker,
)
from identity.deps import Deps, open_deps
from identity.handlers import HANDLERS
from identity.queries.sweeps import EXPIRED
from identity.settings import Settings


async def start(settings: Settings, links: Connections) -> tuple[Deps, Handlers]:
    """Opens what the handlers need and starts the service's own tasks."""
    deps = await open_deps(settings, links)
    links.spawn(queues.measure_periodically(deps), "queues")
    links.spawn(stream_metrics.measure_periodically(links.js), "stream")
    providers = settings.dashboard_providers
    if providers:
        ensure = dashboard_providers.ensure_and_wait(deps, providers)
        links.spawn(ensure, "dashboard providers")
    for each in deps.everywhere():
        links.spawn(run_sweeps(each.sweep_db, EXPIRED), "sweeps")
        links.spawn(unprovisioned_users.provision_periodically(each), "unprovisioned users")
        links.spawn(user_batch_worker.run(each), "user batches")
        links.spawn(guest_expiry.delete_periodically(each), "expired guests")
        links.spawn(impersonation_end.end_periodically(each), "impersonations")
    return deps, HANDLERS


SERVICE = ServiceProgram("identity", Settings, start)

if __name__ == "__main__":
    run(SERVICE)
