"""Token introspection (RFC 7662)."""

from __future__ import annotations

from typing import Any, Final

from common.context import Context
from common.contracts.oauth_errors import InvalidClient
from common.contracts.tokens import Introspection, IntrospectToken
from oidc import (
    access_tokens,
    bindings,
    client_auth,
    oauth_parameters,
    refresh_token_text,
    scope_catalogue,
    token_audience,
)
from oidc.deps import Deps
from oidc.queries import refresh_tokens
from oidc.queries.clients import RegisteredClient
from oidc.subjects import subject
from oidc.timestamps import to_seconds

INACTIVE: Final = Introspection(active=False)
CLAIMS: Final = (
    *("scope", "client_id", "exp", "iat", "sub", "aud", "iss", "jti", "app_id", "sid"),
    *("auth_time", "acr", "amr", "permissions", "roles", "org_id", "org_role", "org_permissions"),
    *("guest", "act"),
    *("cnf", "authorization_details"),
)
"""Claims of an access token that the response repeats (RFC 7662 section 2.2)."""
MAX_LENGTH: Final = 20_000
"""Characters of a token. A longer one is not ours."""


async def introspect(deps: Deps, ctx: Context, request: IntrospectToken) -> Introspection:
    """Tells an authenticated client whether a token is active, and its claims."""
    parameters = oauth_parameters.without_repeats(request.params)
    client = await client_auth.authenticate(deps, ctx, parameters, request.basic)
    if client.public:
        raise InvalidClient("a public client may not introspect tokens")
    presented_token = parameters.required("token")
    if len(presented_token) > MAX_LENGTH:
        return INACTIVE
    if refresh_token_text.is_refresh_token(presented_token):
        return await _refresh_token(deps, ctx, client, presented_token)
    token = await access_tokens.find_valid(deps, ctx, presented_token)
    if token is None or not token_audience.concerns(client, token):
        return INACTIVE
    claims = {name: token.claims[name] for name in CLAIMS if name in token.claims}
    token_type = bindings.token_type(token.cnf)
    return Introspection(active=True, token_type=token_type, **claims)


async def _refresh_token(
    deps: Deps, ctx: Context, client: RegisteredClient, presented_token: str
) -> Introspection:
    """Describes a refresh token of this client."""
    async with deps.db.reader(ctx) as db:
        token = await refresh_tokens.find_live(
            db,
            app_id=ctx.app_id,
            token_hashes=deps.keys.hashes("refresh", presented_token),
            client_id=client.client_id,
            client_epoch=client.epoch,
        )
    if token is None:
        return INACTIVE
    claims: dict[str, Any] = {
        **scope_catalogue.scope_claim(token.scopes),
        "client_id": token.client_id,
        "exp": to_seconds(token.expires_at),
        "iat": to_seconds(token.created_at),
        "sub": subject(deps.keys, client, token.user_id),
        "iss": ctx.origin,
        "token_use": "refresh",
    }
    for name in ("sid", "cnf", "authorization_details"):
        if (value := getattr(token, name)) is not None:
            claims[name] = value
    return Introspection(active=True, **claims)
