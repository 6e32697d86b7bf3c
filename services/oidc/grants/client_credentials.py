"""The grant of a client that acts for itself (RFC 6749 section 4.4)."""

from __future__ import annotations

from common.context import Context
from common.contracts.tokens import Tokens
from common.events.tokens import ClientTokenIssued
from oidc import grant_policy, scope_catalogue, token_response
from oidc.deps import Deps
from oidc.queries.clients import RegisteredClient
from oidc.token_request import TokenRequest


async def handle(deps: Deps, ctx: Context, request: TokenRequest) -> Tokens:
    """Issues an access token for the client itself."""
    client, parameters = request.client, request.parameters
    scopes = await _scopes(deps, ctx, client, parameters.get("scope"))
    resource = await grant_policy.select_resources(deps, ctx, parameters.values_of("resource"))
    tokens = await token_response.for_client(
        deps, ctx, client, scopes=scopes, resource=resource, cnf=request.cnf
    )
    deps.activity.note(ctx, ClientTokenIssued(client_id=client.client_id, scopes=scopes))
    return tokens


async def _scopes(
    deps: Deps, ctx: Context, client: RegisteredClient, scope: str | None
) -> list[str]:
    """Returns the requested scopes, or all of the client's. Raises InvalidScope if one needs a user."""
    if scope is None:
        return [name for name in client.scopes if name not in scope_catalogue.NEEDS_USER]
    return await grant_policy.select_scopes(deps, ctx, client, scope, has_user=False)
