"""The grant of a client that acts for itself (RFC 6749 section 4.4)."""

from __future__ import annotations

from common.context import Context
from common.contracts.oauth_errors import InvalidScope, UnauthorizedClient
from common.contracts.tokens import Tokens
from common.events.tokens import ClientTokenIssued
from oidc import scope_catalogue, token_response
from oidc.deps import Deps
from oidc.oauth_parameters import OAuthParameters
from oidc.queries.clients import RegisteredClient


async def handle(
    deps: Deps, ctx: Context, client: RegisteredClient, parameters: OAuthParameters
) -> Tokens:
    """Issues an access token for the client itself."""
    if client.public:
        raise UnauthorizedClient("a public client cannot use client_credentials")
    scopes = await _scopes(deps, ctx, client, parameters.get("scope"))
    resource = await scope_catalogue.check_resources(deps, ctx, parameters.values_of("resource"))
    tokens = await token_response.for_client(deps, ctx, client, scopes=scopes, resource=resource)
    deps.activity.note(ctx, ClientTokenIssued(client_id=client.client_id, scopes=scopes))
    return tokens


async def _scopes(
    deps: Deps, ctx: Context, client: RegisteredClient, scope: str | None
) -> list[str]:
    """Returns the requested scopes, or all of the client's. Raises InvalidScope if one needs a user."""
    if scope is None:
        return [name for name in client.scopes if name not in scope_catalogue.NEEDS_USER]
    names = await scope_catalogue.select_allowed(deps, ctx, client, scope_catalogue.parse(scope))
    if scope_catalogue.NEEDS_USER & set(names):
        raise InvalidScope("a requested scope needs a user, and client_credentials has none")
    return names
