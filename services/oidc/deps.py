"""The dependencies of the oidc service's handlers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from common.attempt_limits import Limits
from common.caches import Cache
from common.connections import Connections
from common.context import Context
from common.contracts.rights import Rights
from common.db import Database
from common.hash_pool import FairPool
from common.outgoing_http import OutgoingHttp
from common.service_deps import ServiceDeps, open_job, open_service_deps
from common.worker import WakeableWorker
from oidc.json_web_keys import KeySet
from oidc.queries.clients import RegisteredClient
from oidc.queries.dpop_jtis import ProofEpoch
from oidc.queries.token_families import LiveGrant
from oidc.settings import Settings

MAX_FETCHES = 3
"""Looks for a newer key set of one client in six seconds."""


@dataclass
class OidcCaches:
    """The caches of a process. Each has a time limit in seconds, and drops what has changed."""

    keys: Cache[KeySet] = field(default_factory=lambda: Cache("keys", 5_000, ttl=60))
    clients: Cache[RegisteredClient] = field(
        default_factory=lambda: Cache("clients", 20_000, ttl=60)
    )
    secrets: Cache[str] = field(default_factory=lambda: Cache("secrets", 20_000, ttl=600))
    scopes: Cache[Any] = field(default_factory=lambda: Cache("scopes", 5_000, ttl=60))
    consents: Cache[frozenset[str]] = field(
        default_factory=lambda: Cache("consents", 50_000, ttl=60)
    )
    rights: Cache[Rights] = field(default_factory=lambda: Cache("rights", 20_000, ttl=10))
    verified_tokens: Cache[dict[str, Any]] = field(
        default_factory=lambda: Cache("signed", 20_000, ttl=60)
    )
    live_grants: Cache[LiveGrant] = field(default_factory=lambda: Cache("live", 50_000, ttl=10))
    client_keys: Cache[dict[str, Any]] = field(
        default_factory=lambda: Cache("client_keys", 5_000, ttl=300)
    )
    client_uses: Cache[bool] = field(
        default_factory=lambda: Cache("client_uses", 20_000, ttl=86_400)
    )
    fetch_counts: Cache[int] = field(default_factory=lambda: Cache("fetched", 5_000, ttl=6))
    proof_epochs: Cache[ProofEpoch] = field(
        default_factory=lambda: Cache("proof_epochs", 20_000, ttl=600)
    )
    proof_rates: Cache[float] = field(default_factory=lambda: Cache("proof_rates", 20_000, ttl=60))

    def may_fetch(self, key: tuple[str, ...]) -> bool:
        """Counts a look for a client's newer key set. Returns False after three in six seconds.

        Without this limit, anybody could make each of our processes ask the database as often as they like.
        """
        count = self.fetch_counts.get(key) or 0
        if count >= MAX_FETCHES:
            return False
        self.fetch_counts.put(key, count + 1)
        return True

    def drop(self, app_id: str, noun: str, id: str) -> None:
        """Drops entries that depend on what has changed. The id `*` stands for all of a noun."""
        for cache in self._all():
            if len(cache):
                cache.drop(app_id, noun, id)
                if id != "*":
                    cache.drop(app_id, noun, "all")

    def clear(self) -> None:
        """Drops everything, after invalidation messages may have been missed."""
        for cache in self._all():
            cache.clear()

    def _all(self) -> list[Cache[Any]]:
        return [
            self.keys,
            self.clients,
            self.secrets,
            self.scopes,
            self.consents,
            self.rights,
            self.verified_tokens,
            self.live_grants,
            self.client_keys,
            self.proof_epochs,
        ]


@dataclass(frozen=True, kw_only=True)
class Deps(ServiceDeps):
    """The dependencies that all services share, and those of oidc."""

    logout_db: Database
    sweep_db: Database
    settings: Settings
    caches: OidcCaches = field(default_factory=OidcCaches)
    pool: FairPool = field(default_factory=FairPool)
    deliveries: WakeableWorker = field(default_factory=WakeableWorker)
    limits: Limits

    @property
    def http(self) -> OutgoingHttp:
        """The HTTP client for calls to clients' servers."""
        return OutgoingHttp(self.settings.egress)

    async def invalidate(self, ctx: Context, noun: str, id: str = "*") -> None:
        """Makes the caches of all processes drop what has changed. Call it after the commit."""
        self.caches.drop(ctx.app_id, noun, id)
        await self.invalidation.publish(ctx, noun, id)


async def open_deps(settings: Settings, links: Connections) -> Deps:
    """Opens the databases, and lets the caches drop what other processes change."""
    common = await open_service_deps(settings, links)
    deps = Deps(
        **common.shared(),
        logout_db=await open_job(settings, links, "logout"),
        sweep_db=await open_job(settings, links, "sweep"),
        settings=settings,
        limits=Limits(common.db, common.keys, settings.limit_scale),
    )
    links.invalidation.listeners.append(deps.caches.drop)
    links.on_reconnect.append(deps.caches.clear)
    return deps
