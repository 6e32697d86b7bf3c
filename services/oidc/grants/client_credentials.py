"""A client acting for itself: RFC 6749 section 4.4."""

from __future__ import annotations

from common.context import Context
from common.contracts.oauth_errors import InvalidScope, UnauthorizedClient
from common.contracts.tokens import Tokens
from common.events.tokens import ClientTokenIssued
from oidc import scopes, tokens
from oidc.deps import Deps
from oidc.params import Given
from oidc.queries.clients import Registered


async def handle(deps: Deps, ctx: Context, client: Registered, params: Given) -> Tokens:
    if client.public:
        raise UnauthorizedClient("a public client has no credentials of its own")
    names = await _scopes(deps, ctx, client, params.get("scope"))
    resource = await scopes.check_resources(deps, ctx, params.listed("resource"))
    answer = await tokens.for_client(deps, ctx, client, names, resource)
    deps.activity.note(ctx, ClientTokenIssued(client_id=client.client_id, scopes=names))
    return answer


async def _scopes(deps: Deps, ctx: Context, client: Registered, request: str | None) -> list[str]:
    """Those asked for, or all that the client is registered for; none that speaks of a user."""
    if request is None:
        return [name for name in client.scopes if name not in scopes.NEEDS_USER]
    names = await scopes.allowed(deps, ctx, client, scopes.parsed(request))
    if scopes.NEEDS_USER & set(names):
        raise InvalidScope("a scope speaks of a user, and there is none here")
    return names
