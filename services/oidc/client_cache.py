"""Registered clients, cached for a minute and dropped when they change."""

from __future__ import annotations

from common.context import Context
from common.contracts.clients import ClientNotFound
from common.db import Db
from oidc.deps import Deps
from oidc.queries import clients
from oidc.queries.clients import RegisteredClient


async def find_registered(deps: Deps, ctx: Context, client_id: str) -> RegisteredClient | None:
    """Finds a client of this application, enabled or not."""
    key = (ctx.app_id, "client", client_id)
    client = deps.caches.clients.get(key)
    if client is not None:
        return client
    if not client_id or len(client_id) > 200 or "\0" in client_id:
        return None

    async def load() -> RegisteredClient:
        async with deps.db.reader(ctx) as db:
            row = await clients.find_registered(db, app_id=ctx.app_id, client_id=client_id)
        if row is None:
            raise ClientNotFound
        return row

    try:
        return await deps.caches.clients.fetch(
            key, load, tags=lambda row: [("client", row.client_id), ("application", row.app_id)]
        )
    except ClientNotFound:
        return None


async def find_registered_in(
    deps: Deps, db: Db, ctx: Context, client_id: str
) -> RegisteredClient | None:
    """Finds a client from within a transaction."""
    client = deps.caches.clients.get((ctx.app_id, "client", client_id))
    return client or await clients.find_registered(db, app_id=ctx.app_id, client_id=client_id)
