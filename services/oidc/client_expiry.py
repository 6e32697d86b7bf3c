"""The sweep that deletes clients which nobody of the application registered, and which are not used: 24 hours after their
registration if they never were, and 90 days after their last use.

The job's database role reads ids and times only. Each client is deleted in the context of its application, after a second
look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from common import audit, logs
from common.context import system_context
from common.events.clients import ClientExpired
from common.periodic import FAULTS, run_periodically
from oidc.deps import Deps
from oidc.queries import registrations
from oidc.queries.registrations import ExpiredClient

log = logs.get(__name__)

EVERY: Final = 600.0
"""Seconds."""
PAGE: Final = 200
MOST: Final = 2000
"""Clients that one round looks at. The next round continues with those behind them."""
WITHIN: Final = 15.0
"""Seconds for one client."""


@dataclass
class ClientSweep:
    """Continues where the last round ended, so that a client that cannot be deleted delays nobody."""

    deps: Deps
    last: ExpiredClient | None = None

    async def run_once(self) -> int:
        """Deletes expired clients of all applications, at most MOST. Returns how many were deleted."""
        count = seen = 0
        while seen < MOST:
            async with self.deps.sweep_db.unbound_transaction() as db:
                page = await registrations.page_of_expired(db, after=self.last, limit=PAGE)
            for client in page:
                self.last = client
                count += await _delete(self.deps, client)
            seen += len(page)
            if len(page) < PAGE:
                self.last = None
                return count
        return count


async def delete_periodically(deps: Deps) -> None:
    """Deletes expired clients from time to time, for as long as the service runs."""
    await run_periodically(ClientSweep(deps).run_once, every=EVERY, name="expired clients")


async def _delete(deps: Deps, client: ExpiredClient) -> bool:
    """Returns whether the client was deleted: not if it was used in the meantime."""
    ctx = system_context(client.app_id, within=WITHIN, home=deps.db.home)
    try:
        async with deps.db.transaction(ctx) as tx:
            if not await registrations.delete_expired(
                tx, app_id=ctx.app_id, client_id=client.client_id
            ):
                return False
            await audit.record(tx, ctx, ClientExpired(client_id=client.client_id))
        await deps.invalidate(ctx, "client", client.client_id)
    except FAULTS as error:
        log.warning("client not deleted", error=type(error).__name__, client=client.client_id)
        return False
    return True
