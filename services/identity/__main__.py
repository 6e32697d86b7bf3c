"""`python -m identity`: users, sessions, passwords, codes, mail."""

from __future__ import annotations

from common.bus import Handlers
from common.connections import Connections
from common.service import run
from common.sweeps import run_sweeps
from identity import queues, unsettled
from identity.deps import Deps, open_deps
from identity.handlers import HANDLERS
from identity.queries.sweeps import EXPIRED
from identity.settings import Settings


async def start(settings: Settings, links: Connections) -> tuple[Deps, Handlers]:
    """Open what the handlers need and start the service's own jobs."""
    deps = await open_deps(settings, links)
    links.spawn(run_sweeps(deps.sweep_db, EXPIRED), "sweeps")
    links.spawn(queues.measuring(deps), "queues")
    links.spawn(unsettled.settling(deps), "unsettled users")
    return deps, HANDLERS


if __name__ == "__main__":
    run("identity", Settings, start)
