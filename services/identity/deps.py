"""The dependencies of the handlers of the identity service."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from common import logs
from common.attempt_limits import Limits
from common.circuit_breaker import CircuitBreaker
from common.clusters import join
from common.connections import Connections
from common.db import Database
from common.hash_pool import FairPool
from common.operator_rules import OperatorMfa
from common.outgoing_http import OutgoingHttp
from common.service_deps import ServiceDeps, open_job, open_service_deps
from common.worker import WakeableWorker
from common.worker_processes import WorkerProcesses
from identity.call_slots import CallSlots
from identity.geoip import GeoipDatabase
from identity.hashing import Hashing
from identity.last_active import LastActive
from identity.mailer import Mailer
from identity.settings import Settings
from identity.smtp import Smtp

log = logs.get(__name__)


@dataclass(frozen=True, kw_only=True)
class Deps(ServiceDeps):
    """The shared fields, and what identity needs beyond them."""

    mail_db: Database
    sweep_db: Database
    search_db: Database
    """Connected with a role that sees which users of all applications have an address."""
    hashing: Hashing
    last_active: LastActive
    limits: Limits
    http: OutgoingHttp = field(default_factory=OutgoingHttp)
    geoip: GeoipDatabase = field(default_factory=GeoipDatabase)
    provider_breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    """By application and identity provider."""
    operator_mfa: OperatorMfa = "required"
    provider_slots: CallSlots = field(default_factory=CallSlots)
    batches: WakeableWorker = field(default_factory=WakeableWorker)
    """Works on batches of users. The handlers wake it."""
    breach_url: str = ""
    operator_email: str | None = None
    """The address that becomes operator of the dashboard, in lower case."""

    @property
    def workers(self) -> WorkerProcesses:
        """The worker processes for what applications stored: hashes, schemas, templates."""
        return self.hashing.workers


async def open_deps(settings: Settings, links: Connections) -> Deps:
    """Opens the databases, and starts to deliver mail and to write when users were last active."""
    common = await open_service_deps(settings, links)
    pool = FairPool(settings.hash_threads) if settings.hash_threads else FairPool()
    hashing = Hashing(pool)
    mail_db = await open_job(settings, links, "mail")
    common = _deliver_mail(settings, links, common, mail_db, workers=hashing.workers)
    last_active = LastActive(common.db)
    links.spawn(last_active.run(), "last_active")
    return Deps(
        **common.shared(),
        mail_db=mail_db,
        sweep_db=await open_job(settings, links, "sweep"),
        search_db=await open_job(settings, links, "search"),
        hashing=hashing,
        last_active=last_active,
        limits=Limits(common.db, common.keys, settings.limit_scale),
        http=OutgoingHttp(settings.egress),
        geoip=GeoipDatabase.open(settings.geoip_file) if settings.geoip_file else GeoipDatabase(),
        operator_mfa=settings.operator_mfa,
        breach_url=settings.breach_url,
        operator_email=settings.bootstrap_admin_email,
    )


def _deliver_mail(
    settings: Settings,
    links: Connections,
    common: ServiceDeps,
    mail_db: Database,
    *,
    workers: WorkerProcesses,
) -> ServiceDeps:
    """Starts a mailer for each cluster, which each commit of this service there wakes at once."""
    if settings.smtp_url is None:
        log.warning("AERO2_SMTP_URL is not set: mail waits in the outbox")
    databases = []
    for db in common.db.everywhere():
        mailer = Mailer(
            common.db,
            mail_db.at(db.home),
            common.sealer,
            common.tenants,
            Smtp.parse(settings.smtp_url.get_secret_value()) if settings.smtp_url else None,
            settings.mail_from,
            workers,
            OutgoingHttp(settings.egress),
        )
        links.invalidation.listeners.append(mailer.on_invalidation)
        links.spawn(mailer.run(), "mailer")
        databases.append(replace(db, on_commit=mailer.waking(db.on_commit)))
    return replace(common, db=join(databases) if len(databases) > 1 else databases[0])
