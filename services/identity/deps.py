"""What every handler of the identity service is given."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from common import logs
from common.bus import Bus
from common.crypto import Keys
from common.cursors import Cursors
from common.db import Database
from common.hash_pool import FairPool
from common.invalidation import Changes
from common.outgoing_http import OutgoingHttp
from common.sealing import Sealer
from common.service import Links, Stores, open_job, open_stores
from common.tenants import Tenants
from common.worker_processes import WorkerProcesses
from identity.hashing import Hashing
from identity.last_active import LastActive
from identity.limits import Limits
from identity.mailer import Mailer
from identity.settings import Settings
from identity.smtp import Smtp

log = logs.get(__name__)


@dataclass(frozen=True)
class Deps:
    db: Database
    relay_db: Database
    mail_db: Database
    sealer: Sealer
    bus: Bus
    changes: Changes
    tenants: Tenants
    keys: Keys
    cursors: Cursors
    hashing: Hashing
    last_active: LastActive
    limits: Limits
    http: OutgoingHttp = field(default_factory=OutgoingHttp)
    breach_url: str = ""
    operator_email: str | None = None
    """The address that becomes operator of the dashboard, in lower case."""

    @property
    def workers(self) -> WorkerProcesses:
        """For what applications stored: hashes, schemas, templates."""
        return self.hashing.workers


async def make(settings: Settings, links: Links) -> Deps:
    stores = await open_stores(settings, links)
    pool = FairPool(settings.hash_threads) if settings.hash_threads else FairPool()
    hashing = Hashing(pool)
    mail_db = await open_job(settings.mail_database_url, links, "mail")
    db = await _with_mailer(settings, links, stores, mail_db, hashing.workers)
    last_active = LastActive(db)
    links.spawn(last_active.run(), "last_active")
    return Deps(
        db=db,
        relay_db=stores.relay.database,
        mail_db=mail_db,
        sealer=stores.sealer,
        bus=links.bus,
        changes=links.changes,
        tenants=links.tenants,
        keys=stores.keys,
        cursors=Cursors(stores.keys),
        hashing=hashing,
        last_active=last_active,
        limits=Limits(db, stores.keys, settings.limit_scale),
        http=OutgoingHttp(settings.egress),
        breach_url=settings.breach_url,
        operator_email=settings.bootstrap_admin_email,
    )


async def _with_mailer(
    settings: Settings,
    links: Links,
    stores: Stores,
    mail_db: Database,
    workers: WorkerProcesses,
) -> Database:
    """Deliver mail from here on; the service's own commits wake the mailer at once."""
    if settings.smtp_url is None:
        log.warning("AERO2_SMTP_URL is not set: mail waits in the outbox")
        return stores.db
    mailer = Mailer(
        stores.db,
        mail_db,
        stores.sealer,
        links.tenants,
        Smtp.parse(settings.smtp_url.get_secret_value()),
        settings.mail_from,
        workers,
    )
    links.spawn(mailer.run(), "mailer")
    return replace(stores.db, on_commit=mailer.waking(stores.db.on_commit))
