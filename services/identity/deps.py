"""What every handler of the identity service is given."""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx

from common.bus import Bus
from common.changes import Changes
from common.crypto import Keys
from common.cursors import Cursors
from common.db import Database
from common.pool import FairPool
from common.sealing import Sealer
from common.service import Links, open_stores
from common.tenants import Tenants
from identity.egress import client
from identity.hashing import Hashing
from identity.last_active import LastActive
from identity.limits import Limits
from identity.settings import Settings


@dataclass(frozen=True)
class Deps:
    """`platform` serves the relay, the mailer and the sweeps; no handler touches it."""

    db: Database
    platform: Database | None
    sealer: Sealer
    bus: Bus
    changes: Changes
    tenants: Tenants
    keys: Keys
    cursors: Cursors
    hashing: Hashing
    last_active: LastActive
    limits: Limits
    http: httpx.AsyncClient = field(repr=False)
    breach_url: str = ""
    operator_email: str | None = None
    """The address that becomes operator of the dashboard, in lower case."""


async def make(settings: Settings, links: Links) -> Deps:
    stores = await open_stores(settings, links)
    last_active = LastActive(stores.db)
    links.spawn(last_active.run(), "last_active")
    pool = FairPool(settings.hash_threads) if settings.hash_threads else FairPool()
    return Deps(
        db=stores.db,
        platform=stores.platform,
        sealer=stores.sealer,
        bus=links.bus,
        changes=links.changes,
        tenants=links.tenants,
        keys=settings.keys,
        cursors=Cursors(settings.keys),
        hashing=Hashing(pool),
        last_active=last_active,
        limits=Limits(stores.db, settings.keys, settings.limit_scale),
        http=client(private=settings.private_egress),
        breach_url=settings.breach_url,
        operator_email=settings.bootstrap_admin_email,
    )
