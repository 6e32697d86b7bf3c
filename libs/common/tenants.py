"""Settings, branding and hosts of applications, cached in each process and dropped on a change."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from common.bus import Bus
from common.context import SYSTEM_CALLER, Context, system_context
from common.contracts.tenants import GetTenant, Tenant
from common.stale_cache import StaleCache

TTL: Final = 60.0
"""Seconds after which an application is asked for again."""
STALE: Final = 60.0
"""Seconds for which an application is served that was known, while tenancy does not answer."""


def _empty_cache() -> StaleCache[Tenant]:
    return StaleCache("tenant", 20_000, TTL, stale=STALE)


@dataclass
class Tenants:
    """Asks the tenancy service at most once a minute for each application. Forgets on
    `changed.<app>.application`. While tenancy does not answer, what was known counts for another minute: sign-ins
    at known hosts go on."""

    bus: Bus
    cache: StaleCache[Tenant] = field(default_factory=_empty_cache)

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
