"""The oidc service: clients, authorization, tokens, keys."""

from __future__ import annotations

from functools import partial

from common.bus import Handlers
from common.service import Links, open_job, open_stores, run
from common.sweeps import sweeping
from oidc import backchannel_delivery
from oidc.deps import Deps
from oidc.handlers import HANDLERS
from oidc.queries.sweeps import EXPIRED
from oidc.session_end_listener import SessionEndListener
from oidc.settings import OidcSettings


async def start(settings: OidcSettings, links: Links) -> tuple[Deps, Handlers]:
    stores = await open_stores(settings, links)
    sweep_db = await open_job(settings.sweep_database_url, links, "sweep")
    deps = Deps(
        db=stores.db,
        logout_db=await open_job(settings.logout_database_url, links, "logout"),
        sealer=stores.sealer,
        bus=links.bus,
        changes=links.changes,
        tenants=links.tenants,
        activity=links.activity,
        keys=stores.keys,
        settings=settings,
    )
    links.changes.listeners.append(deps.known.heard)
    links.on_reconnect.append(deps.known.clear)
    endings = SessionEndListener(deps)
    links.changes.listeners.append(endings.heard)
    links.spawn(endings.run(), "endings")
    links.spawn(
        deps.deliveries.run(partial(backchannel_delivery.work, deps), name="deliveries"),
        "deliveries",
    )
    links.spawn(sweeping(sweep_db, EXPIRED), "sweeps")
    return deps, HANDLERS


if __name__ == "__main__":
    run("oidc", OidcSettings, start)
