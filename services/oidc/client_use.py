"""When a client was last used: recorded at most once a day for each client and process."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from common import clock, logs
from common.context import Context
from common.periodic import FAULTS
from oidc.deps import Deps
from oidc.queries import registrations
from oidc.queries.clients import RegisteredClient

log = logs.get(__name__)

EVERY: Final = timedelta(days=1)


async def record(deps: Deps, ctx: Context, client: RegisteredClient) -> None:
    """Records that the client got tokens, unless this process knows that it was recorded within a day. The tokens are
    issued already, so a fault is only logged: the next request records it."""
    if client.last_used_at is not None and clock.utc_now() - client.last_used_at < EVERY:
        return
    key = (ctx.app_id, "use", client.client_id)
    if deps.caches.client_uses.get(key):
        return
    try:
        async with deps.db.autocommit(ctx) as db:
            await registrations.note_use(db, app_id=ctx.app_id, client_id=client.client_id)
    except FAULTS as error:
        log.warning("use of a client not recorded", error=type(error).__name__)
        return
    deps.caches.client_uses.put(key, True)
