"""`python -m oidc`: clients, authorization, tokens, keys."""

from __future__ import annotations

from functools import partial

from common.bus import Handlers
from common.connections import Connections
from common.service import ServiceProgram, run
from common.sweeps import run_sweeps
from oidc import backchannel_delivery
from oidc.deps import Deps, open_deps
from oidc.handlers import HANDLERS
from oidc.queries.sweeps import EXPIRED
from oidc.session_end_listener import SessionEndListener
from oidc.settings import Settings


async def start(settings: Settings, links: Connections) -> tuple[Deps, Handlers]:
    """Opens what the handlers need and starts the service's jobs."""
    deps = await open_deps(settings, links)
    listener = SessionEndListener(deps)
    links.invalidation.listeners.append(listener.on_change)
    links.spawn(listener.run(), "session ends")
    links.spawn(
        deps.deliveries.run(partial(backchannel_delivery.work, deps), name="deliveries"),
        "deliveries",
    )
    links.spawn(run_sweeps(deps.sweep_db, EXPIRED), "sweeps")
    return deps, HANDLERS


SERVICE = ServiceProgram("oidc", Settings, start)

if __name__ == "__main__":
    run(SERVICE)
