"""Token revocation (RFC 7009)."""

from __future__ import annotations

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.tokens import RevokeToken
from common.events.tokens import TokenRevoked
from oidc import client_auth, oauth_parameters, refresh_token_text
from oidc.access_tokens import find_valid
from oidc.deps import Deps
from oidc.introspection import MAX_LENGTH
from oidc.queries import access_tokens, refresh_tokens, token_families
from oidc.queries.clients import RegisteredClient
from oidc.timestamps import from_seconds


async def revoke(deps: Deps, ctx: Context, request: RevokeToken) -> Done:
    """Revokes a token of the authenticated client.

    `token_type_hint` is ignored: the token's form says what it is. Unknown tokens and those of
    other clients get the same answer (RFC 7009 section 2.2).
    """
    parameters = oauth_parameters.without_repeats(request.params)
    client = await client_auth.authenticate(deps, ctx, parameters, request.basic)
    presented_token = parameters.required("token")
    if len(presented_token) > MAX_LENGTH:
        return Done()
    if refresh_token_text.is_refresh_token(presented_token):
        await _revoke_refresh_token(deps, ctx, client, presented_token)
    else:
        await _revoke_access_token(deps, ctx, client, presented_token)
    return Done()


async def _revoke_refresh_token(
    deps: Deps, ctx: Context, client: RegisteredClient, presented_token: str
) -> None:
    """Revokes the whole family, with the access tokens issued from it (RFC 7009 section 2.1)."""
    async with deps.db.transaction(ctx) as tx:
        token = await refresh_tokens.find(
            tx, app_id=ctx.app_id, token_hashes=deps.keys.hashes("refresh", presented_token)
        )
        if token is None or token.client_id != client.client_id:
            return
        if await token_families.revoke(tx, app_id=ctx.app_id, id=token.family_id, reason="revoked"):
            event = TokenRevoked(client_id=client.client_id, kind="refresh_token")
            await audit.record(tx, ctx, event, user_id=token.user_id)
    await deps.invalidate(ctx, "token", token.family_id)


async def _revoke_access_token(
    deps: Deps, ctx: Context, client: RegisteredClient, presented_token: str
) -> None:
    """Revokes the one access token. The other tokens of its family stay valid."""
    token = await find_valid(deps, ctx, presented_token)
    if token is None or token.client_id != client.client_id:
        return
    jti = token.claims["jti"]
    async with deps.db.transaction(ctx) as tx:
        await access_tokens.revoke(
            tx, app_id=ctx.app_id, jti=jti, expires_at=from_seconds(token.claims["exp"])
        )
        event = TokenRevoked(client_id=client.client_id, kind="access_token")
        await audit.record(tx, ctx, event, user_id=token.grant.user_id)
    await deps.invalidate(ctx, "token", jti)
