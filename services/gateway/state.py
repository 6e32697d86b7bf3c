"""What the gateway holds while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from common.bus import Bus
from common.caches import Cache
from gateway.admission.fair_queue import AdmissionQueues
from gateway.admission.flood_limits import NO_TENANT, FloodLimits
from gateway.api.audit_tail import Slots
from gateway.http.compression import PackedText

if TYPE_CHECKING:
    from common.context import Caller
    from common.contracts.api_keys import ApiKeyHolder
    from common.contracts.sessions import Session
    from common.contracts.tenants import Tenant
    from common.contracts.tokens import AccessToken
    from common.service import Connections
    from gateway.settings import GatewaySettings


@dataclass(frozen=True, slots=True)
class Signed:
    """A live session, the caller it makes, and the session as JSON."""

    session: Session
    caller: Caller
    document: bytes


@dataclass(frozen=True, slots=True)
class Bearer:
    """A valid access token and the caller it makes."""

    token: AccessToken
    caller: Caller


@dataclass(frozen=True, slots=True)
class Document:
    """A cached answer, ready to be sent."""

    body: bytes


@dataclass
class Gateway:
    """Settings, the bus and the caches. Every cache hears what changed."""

    settings: GatewaySettings
    bus: Bus
    links: Connections | None = None
    tenants: Cache[Tenant] = field(default_factory=lambda: Cache("host", 20_000, ttl=60))
    sessions: Cache[Signed] = field(default_factory=lambda: Cache("session", 50_000, ttl=10))
    bearers: Cache[Bearer] = field(default_factory=lambda: Cache("bearer", 50_000, ttl=10))
    api_keys: Cache[ApiKeyHolder] = field(default_factory=lambda: Cache("api_key", 20_000, ttl=10))
    documents: Cache[PackedText] = field(default_factory=lambda: Cache("document", 20_000, ttl=60))
    origins: Cache[frozenset[str]] = field(default_factory=lambda: Cache("origins", 20_000, ttl=60))
    ended: Cache[bool] = field(default_factory=lambda: Cache("ended", 20_000, ttl=60))
    """Session cookies that were found not to hold: none of them ever will, as their values are
    random, and browsers go on sending them."""
    answers: Cache[Document] = field(default_factory=lambda: Cache("answer", 50_000, ttl=10))

    tails: Slots = field(default_factory=Slots)
    limits: FloodLimits = field(init=False)
    lanes: AdmissionQueues = field(init=False)

    def __post_init__(self) -> None:
        self.limits = FloodLimits(self.settings.limit_scale)
        self.lanes = AdmissionQueues(self.settings.at_once)

    def caches(self) -> list[Cache[object]]:
        return [
            self.tenants,  # type: ignore[list-item]
            self.sessions,  # type: ignore[list-item]
            self.bearers,  # type: ignore[list-item]
            self.api_keys,  # type: ignore[list-item]
            self.documents,  # type: ignore[list-item]
            self.origins,  # type: ignore[list-item]
            self.ended,  # type: ignore[list-item]
            self.answers,  # type: ignore[list-item]
        ]

    def heard(self, app_id: str, noun: str, id: str) -> None:
        """A drop message: forget what it names, in this application and in what is not yet
        known to be any application's."""
        for cache in self.caches():
            if len(cache):
                cache.drop(app_id, noun, id)
                cache.drop(NO_TENANT, noun, id)
        self.tails.changed(noun, id)

    def forget_all(self) -> None:
        """The bus was away: messages may have been missed."""
        for cache in self.caches():
            cache.clear()
        self.tails.recheck_all()
