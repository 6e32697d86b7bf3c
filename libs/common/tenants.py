"""Settings, branding and hosts of applications, cached in each process and dropped on a change."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from common.bus import Bus
from common.caches import Cache
from common.context import SYSTEM_CALLER, Context, system_context
from common.contracts.tenants import GetTenant, Tenant


@dataclass
class Tenants:
    """Asks the tenancy service at most once a minute for each application. Forgets on
    `changed.<app>.application`."""

    bus: Bus
    cache: Cache[Tenant] = field(default_factory=lambda: Cache("tenant", size=20_000, ttl=60))

    async def get(self, ctx: Context) -> Tenant:
        """Returns the application of the context. Raises ApplicationNotFound."""
        system_ctx = replace(ctx, caller=SYSTEM_CALLER)
        return await self.cache.fetch(
            (ctx.app_id, "tenant"),
            lambda: self.bus.call(system_ctx, GetTenant()),
            tags=lambda tenant: [("application", tenant.app_id)],
        )

    async def home_of(self, app_id: str) -> str:
        """Returns the cluster of an application. Raises ApplicationNotFound."""
        return (await self.get(system_context(app_id))).home

    def on_invalidation(self, app_id: str, noun: str, id: str) -> None:
        """Forgets an application that changed. Listens to invalidation messages."""
        if noun == "application":
            self.cache.drop(app_id, noun, "*")
