"""Introspection (RFC 7662) and revocation (RFC 7009)."""

from __future__ import annotations

from typing import Any, Final

from common import audit
from common.context import Context
from common.contracts.base import Done
from common.contracts.oauth_errors import InvalidClient
from common.contracts.tokens import Introspection, IntrospectToken, RevokeToken
from common.events.tokens import TokenRevoked
from oidc import access_tokens, client_auth, params, scopes
from oidc.access_tokens import Speaking
from oidc.deps import Deps
from oidc.queries import refresh_tokens, token_families
from oidc.queries.clients import Registered
from oidc.subjects import subject
from oidc.timestamps import at, seconds

INACTIVE: Final = Introspection(active=False)
TOLD: Final = (
    *("scope", "client_id", "exp", "iat", "sub", "aud", "iss", "jti", "app_id", "sid"),
    *("auth_time", "acr", "amr", "permissions", "roles", "org_id", "org_role", "org_permissions"),
)
"""Claims of an access token that introspection repeats."""
LONGEST: Final = 20_000


async def introspect(deps: Deps, ctx: Context, request: IntrospectToken) -> Introspection:
    given = params.single(request.params)
    client = await client_auth.authenticate(deps, ctx, given, request.basic)
    if client.public:
        raise InvalidClient("a public client may not introspect")
    token = given.required("token")
    if len(token) > LONGEST:
        return INACTIVE
    if token.startswith("rt_"):
        return await _refresh(deps, ctx, client, token)
    held = await access_tokens.holding(deps, ctx, token)
    if held is None or not _concerns(held, client):
        return INACTIVE
    told = {name: held.claims[name] for name in TOLD if name in held.claims}
    return Introspection(active=True, token_type="Bearer", **told)


def _concerns(token: Speaking, client: Registered) -> bool:
    """Its own token, or one whose audience it is: an API asks as the client of its identifier, or
    as one that has the API among its default resources."""
    audience = set(token.audience)
    return (
        token.live.client_id == client.client_id
        or client.client_id in audience
        or bool(audience & set(client.default_resources))
    )


async def _refresh(deps: Deps, ctx: Context, client: Registered, token: str) -> Introspection:
    async with deps.db.reading(ctx) as db:
        row = await refresh_tokens.live(
            db,
            app_id=ctx.app_id,
            token_hashes=deps.keys.hashes("refresh", token),
            client_epoch=client.epoch,
        )
    if row is None or row.client_id != client.client_id:
        return INACTIVE
    told: dict[str, Any] = {
        **scopes.claim(row.scopes),
        "client_id": row.client_id,
        "exp": seconds(row.expires_at),
        "iat": seconds(row.created_at),
        "sub": subject(deps.keys, client, row.user_id),
        "iss": ctx.origin,
        "token_use": "refresh",
    }
    if row.sid is not None:
        told["sid"] = row.sid
    return Introspection(active=True, **told)


async def revoke(deps: Deps, ctx: Context, request: RevokeToken) -> Done:
    """Whatever the hint says, a token is recognised by its form. Unknown tokens and other
    clients' are passed over in silence (RFC 7009 section 2.2)."""
    given = params.single(request.params)
    client = await client_auth.authenticate(deps, ctx, given, request.basic)
    token = given.required("token")
    if len(token) > LONGEST:
        return Done()
    if token.startswith("rt_"):
        await _revoke_refresh(deps, ctx, client, token)
    else:
        await _revoke_access(deps, ctx, client, token)
    return Done()


async def _revoke_refresh(deps: Deps, ctx: Context, client: Registered, token: str) -> None:
    """The whole grant (section 2.1): access tokens made from it are dead as well."""
    async with deps.db.transaction(ctx) as tx:
        known = await refresh_tokens.find(
            tx, app_id=ctx.app_id, token_hashes=deps.keys.hashes("refresh", token)
        )
        if known is None or known.client_id != client.client_id:
            return
        if await token_families.end(tx, app_id=ctx.app_id, id=known.family_id, reason="revoked"):
            event = TokenRevoked(client_id=client.client_id, kind="refresh_token")
            await audit.record(tx, ctx, event, user_id=known.user_id)
    await deps.changed(ctx, "token", known.family_id)


async def _revoke_access(deps: Deps, ctx: Context, client: Registered, token: str) -> None:
    held = await access_tokens.holding(deps, ctx, token)
    if held is None or held.live.client_id != client.client_id:
        return
    jti = held.claims["jti"]
    async with deps.db.transaction(ctx) as tx:
        await token_families.revoke_jti(
            tx, app_id=ctx.app_id, jti=jti, expires_at=at(held.claims["exp"])
        )
        event = TokenRevoked(client_id=client.client_id, kind="access_token")
        await audit.record(tx, ctx, event, user_id=held.live.user_id)
    await deps.changed(ctx, "token", jti)
