"""`python -m oidc`: clients, authorization, tokens, keys."""

from __future__ import annotations

from functools import partial

from common.bus import Handlers
from common.connections import Connections
from common.service import ServiceProgram, run
from common.sweeps import run_sweeps
from oidc import backchannel_delivery, client_expiry
from oidc.deps import Deps, open_deps
from oidc.handlers import HANDLERS
from oidc.queries.sweeps import EXPIRED
from oidc.session_end_listener import SessionEndListener
from oidc.settings import Settings


async def start(settings: Settings, links: Connections) -> tuple[Deps, Handlers]:
    """Opens what the handlers need and starts the service's jobs."""
    deps = await open_deps(settings, links)
    links.invalidation.listeners.append(SessionEndListener(deps).on_change)
    for each in deps.everywhere():
        links.spawn(SessionEndListener(each).run(), "session ends")
        deliver = partial(backchannel_delivery.work, each)
        links.spawn(each.deliveries.run(deliver, name="deliveries"), "deliveries")
        links.spawn(run_sweeps(each.sweep_db, EXPIRED), "sweeps")
        links.spawn(client_expiry.delete_periodically(each), "client expiry")
    return deps, HANDLERS


SERVICE = ServiceProgram("oidc", Settings, start)

if __name__ == "__main__":
    run(SERVICE)
