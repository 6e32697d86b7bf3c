"""The claim `exchanged` of an access token: the tokens and clients that it depends on (docs/adr/0042)."""

from __future__ import annotations

from typing import Any

from common.context import Context
from oidc.client_cache import find_registered
from oidc.deps import Deps
from oidc.queries import access_tokens
from oidc.queries.token_families import LiveGrant


async def are_current(
    deps: Deps, ctx: Context, exchanged: dict[str, Any], grant: LiveGrant
) -> bool:
    """Returns whether every client before the token is enabled, and of the same epoch as then."""
    epochs: dict[str, int] = exchanged["clients"]
    for client_id, epoch in epochs.items():
        client = await find_registered(deps, ctx, client_id)
        if client is None or not client.enabled or client.epoch != epoch:
            return False
    return grant.family_id is None or grant.client_epoch == epochs.get(grant.client_id)


async def are_revoked(deps: Deps, ctx: Context, exchanged: dict[str, Any]) -> bool:
    """Returns whether a token before the token was revoked by itself."""
    async with deps.db.reader(ctx) as db:
        return await access_tokens.any_revoked(db, app_id=ctx.app_id, jtis=exchanged["tokens"])
