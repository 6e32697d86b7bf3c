"""Stores opaque access tokens: random texts, whose claims only we know."""

from __future__ import annotations

from typing import Any

from common.context import Context
from common.crypto import token as random_token
from oidc.deps import Deps
from oidc.queries import access_tokens
from oidc.queries.access_tokens import NewOpaqueToken
from oidc.queries.clients import RegisteredClient
from oidc.queries.token_grants import TokenGrant
from oidc.timestamps import from_seconds


async def store(
    deps: Deps,
    ctx: Context,
    client: RegisteredClient,
    payload: dict[str, Any],
    *,
    grant: TokenGrant | None,
) -> str:
    """Stores the claims and returns a random token for them. Revoking it takes effect at once."""
    token = random_token("at_")
    audience = payload["aud"]
    new = NewOpaqueToken(
        app_id=ctx.app_id,
        token_hash=deps.keys.hash("access", token),
        jti=payload["jti"],
        family_id=grant.family_id if grant else None,
        client_id=client.client_id,
        user_id=grant.user_id if grant else None,
        sid=payload.get("sid"),
        scopes=payload.get("scope", "").split(),
        audience=[audience] if isinstance(audience, str) else audience,
        claims=payload,
        user_epoch=payload.get("epoch", 0),
        expires_at=from_seconds(payload["exp"]),
    )
    async with deps.db.autocommit(ctx) as db:
        await access_tokens.insert_opaque(db, new)
    return token
