"""The state of a running gateway: settings, the bus, caches and limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from common.bus import Bus
from common.caches import Cache
from common.connections import Connections
from common.context import Caller
from common.contracts.api_keys import ApiKeyHolder
from common.contracts.base import Contract
from common.contracts.identity_providers import PublicProviders
from common.contracts.sessions import Session
from common.contracts.tenants import Tenant
from common.contracts.tokens import AccessToken
from common.stale_cache import StaleCache
from gateway.admission.fair_queue import AdmissionQueues
from gateway.admission.flood_limits import NO_TENANT, FloodLimits
from gateway.audit_followers import FollowerSlots
from gateway.http.compression import PackedText
from gateway.running_exports import RunningExports
from gateway.served_requests import ServedRequests
from gateway.service_discovery import ServiceDiscovery
from gateway.settings import GatewaySettings

STALE_TENANT: Final = 60.0
"""Seconds for which a host is served that was known, while tenancy does not answer."""
STALE_DOCUMENT: Final = 600.0
"""The same for keys and discovery, which are public, while oidc does not answer. Clients verify tokens with them."""


@dataclass(frozen=True, slots=True)
class SignedInUser:
    """A user with a live session at this browser: the session, the caller that they are, and the
    session as JSON."""

    session: Session
    caller: Caller
    session_json: bytes


@dataclass(frozen=True, slots=True)
class ValidToken:
    """A valid access token and its caller."""

    token: AccessToken
    caller: Caller


@dataclass(frozen=True, slots=True)
class CachedBody:
    """The body of a cached response."""

    body: bytes


@dataclass
class Gateway:
    """Settings, the bus, the caches and the limits of one process. Invalidation messages reach every
    cache."""

    settings: GatewaySettings
    bus: Bus
    links: Connections | None = None
    tenants: StaleCache[Tenant] = field(
        default_factory=lambda: StaleCache("host", 20_000, ttl=60, stale=STALE_TENANT)
    )
    sessions: Cache[SignedInUser] = field(default_factory=lambda: Cache("session", 50_000, ttl=10))
    tokens: Cache[ValidToken] = field(default_factory=lambda: Cache("bearer", 50_000, ttl=10))
    api_keys: Cache[ApiKeyHolder] = field(default_factory=lambda: Cache("api_key", 20_000, ttl=10))
    documents: StaleCache[PackedText] = field(
        default_factory=lambda: StaleCache("document", 20_000, ttl=60, stale=STALE_DOCUMENT)
    )
    origins: Cache[frozenset[str]] = field(default_factory=lambda: Cache("origins", 20_000, ttl=60))
    providers: Cache[PublicProviders] = field(
        default_factory=lambda: Cache("providers", 20_000, ttl=60)
    )
    ended_sessions: Cache[bool] = field(default_factory=lambda: Cache("ended", 20_000, ttl=60))
    """Session cookies that are not valid. They never become valid, as their values are random, and
    browsers go on sending them."""
    pending_requests: Cache[bool] = field(default_factory=lambda: Cache("pending", 20_000, ttl=20))
    """Authorization requests that waited a moment ago."""
    responses: Cache[CachedBody] = field(default_factory=lambda: Cache("answer", 50_000, ttl=10))

    reports: Cache[Contract] = field(default_factory=lambda: Cache("report", 1, ttl=2))
    """The health of the platform, so that many who look at it ask the services once."""

    exports: RunningExports = field(default_factory=RunningExports)
    followers: FollowerSlots = field(default_factory=FollowerSlots)
    discovery: ServiceDiscovery = field(default_factory=ServiceDiscovery)
    served: ServedRequests = field(default_factory=ServedRequests)
    stops: bool = False
    """Whether this process was asked to stop: a load balancer sends it nothing more."""
    limits: FloodLimits = field(init=False)
    queues: AdmissionQueues = field(init=False)

    def __post_init__(self) -> None:
        self.limits = FloodLimits(self.settings.limit_scale, bool(self.settings.trusted_proxies))
        self.queues = AdmissionQueues(self.settings.at_once)

    def caches(self) -> list[Cache[object] | StaleCache[object]]:
        return [
            self.tenants,  # type: ignore[list-item]
            self.sessions,  # type: ignore[list-item]
            self.tokens,  # type: ignore[list-item]
            self.api_keys,  # type: ignore[list-item]
            self.documents,  # type: ignore[list-item]
            self.origins,  # type: ignore[list-item]
            self.providers,  # type: ignore[list-item]
            self.ended_sessions,  # type: ignore[list-item]
            self.pending_requests,  # type: ignore[list-item]
            self.responses,  # type: ignore[list-item]
            self.reports,  # type: ignore[list-item]
        ]

    def invalidate(self, app_id: str, noun: str, id: str) -> None:
        """Handles an invalidation message: forgets what it names, in this application and among the
        entries whose application was not known when they were looked up."""
        for cache in self.caches():
            if len(cache):
                cache.drop(app_id, noun, id)
                cache.drop(NO_TENANT, noun, id)
        if noun == "client":  # which client a request is of, the gateway does not know
            self.pending_requests.drop(app_id, noun, "*")
        self.followers.changed(noun, id)

    def forget_all(self) -> None:
        """Empties all caches: the bus was unreachable, so messages may have been missed."""
        for cache in self.caches():
            cache.clear()
        self.followers.recheck_all()
