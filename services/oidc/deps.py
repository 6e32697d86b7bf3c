"""What the handlers of the oidc service work with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from common.caches import Cache
from common.connections import Connections
from common.context import Context
from common.contracts.rights import Rights
from common.db import Database
from common.hash_pool import FairPool
from common.outgoing_http import OutgoingHttp
from common.service_deps import ServiceDeps, open_job, open_service_deps
from common.worker import WakeableWorker
from oidc.settings import Settings

if TYPE_CHECKING:
    from oidc.keys import KeySet
    from oidc.queries.clients import Registered
    from oidc.queries.token_families import Live


@dataclass
class Known:
    """What a process remembers. Everything has a time limit and hears what changed."""

    keys: Cache[KeySet] = field(default_factory=lambda: Cache("keys", 5_000, ttl=60))
    clients: Cache[Registered] = field(default_factory=lambda: Cache("clients", 20_000, ttl=60))
    secrets: Cache[str] = field(default_factory=lambda: Cache("secrets", 20_000, ttl=600))
    scopes: Cache[Any] = field(default_factory=lambda: Cache("scopes", 5_000, ttl=60))
    consents: Cache[frozenset[str]] = field(
        default_factory=lambda: Cache("consents", 50_000, ttl=60)
    )
    rights: Cache[Rights] = field(default_factory=lambda: Cache("rights", 20_000, ttl=10))
    signed: Cache[dict[str, Any]] = field(default_factory=lambda: Cache("signed", 20_000, ttl=60))
    live: Cache[Live] = field(default_factory=lambda: Cache("live", 50_000, ttl=10))

    client_keys: Cache[dict[str, Any]] = field(
        default_factory=lambda: Cache("client_keys", 5_000, ttl=300)
    )
    fetched: Cache[int] = field(default_factory=lambda: Cache("fetched", 5_000, ttl=60))

    def may_fetch(self, key: tuple[str, ...]) -> bool:
        """Three times a minute at most: nobody makes us call an address as often as he likes."""
        done = self.fetched.get(key) or 0
        if done >= 3:
            return False
        self.fetched.put(key, done + 1)
        return True

    def heard(self, app_id: str, noun: str, id: str) -> None:
        for cache in self._all():
            if len(cache):
                cache.drop(app_id, noun, id)
                if id != "*":
                    cache.drop(app_id, noun, "all")

    def clear(self) -> None:
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
            self.signed,
            self.live,
            self.client_keys,
        ]


@dataclass(frozen=True, kw_only=True)
class Deps(ServiceDeps):
    """The shared fields, and what oidc needs beyond them."""

    logout_db: Database
    sweep_db: Database
    settings: Settings
    known: Known = field(default_factory=Known)
    pool: FairPool = field(default_factory=FairPool)
    deliveries: WakeableWorker = field(default_factory=WakeableWorker)

    @property
    def http(self) -> OutgoingHttp:
        """For calls to clients' own servers."""
        return OutgoingHttp(self.settings.egress)

    async def changed(self, ctx: Context, noun: str, id: str = "*") -> None:
        """After a commit, before the reply: this process forgets, and so does every other."""
        self.known.heard(ctx.app_id, noun, id)
        await self.invalidation.publish(ctx, noun, id)


async def open_deps(settings: Settings, links: Connections) -> Deps:
    """Open the databases, and let the caches hear what other processes change."""
    common = await open_service_deps(settings, links)
    deps = Deps(
        **common.shared(),
        logout_db=await open_job(settings.logout_database_url, links, "logout"),
        sweep_db=await open_job(settings.sweep_database_url, links, "sweep"),
        settings=settings,
    )
    links.changes.listeners.append(deps.known.heard)
    links.on_reconnect.append(deps.known.clear)
    return deps
