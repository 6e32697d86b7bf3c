"""Clients as the protocol sees them, remembered for a minute and dropped when they change."""

from __future__ import annotations

from common.context import Context
from common.contracts.clients import ClientNotFound
from common.db import Db
from oidc.deps import Deps
from oidc.queries import clients
from oidc.queries.clients import Registered


async def registered(deps: Deps, ctx: Context, client_id: str) -> Registered | None:
    """A client of this application by client_id, remembered for a minute."""
    key = (ctx.app_id, "client", client_id)
    found = deps.known.clients.get(key)
    if found is not None:
        return found
    if not client_id or len(client_id) > 200 or "\0" in client_id:
        return None

    async def load() -> Registered:
        async with deps.db.reading(ctx) as db:
            row = await clients.registered(db, app_id=ctx.app_id, client_id=client_id)
        if row is None:
            raise ClientNotFound
        return row

    try:
        return await deps.known.clients.fetch(
            key, load, tags=lambda row: [("client", row.client_id), ("application", row.app_id)]
        )
    except ClientNotFound:
        return None


async def read(deps: Deps, db: Db, ctx: Context, client_id: str) -> Registered | None:
    """The same, for who is in a transaction already."""
    found = deps.known.clients.get((ctx.app_id, "client", client_id))
    return found or await clients.registered(db, app_id=ctx.app_id, client_id=client_id)
