"""The parameter `scope` (RFC 6749 section 3.3, OpenID Connect Core section 11)."""

from __future__ import annotations

from common.context import Context
from oidc import scope_catalogue, scope_ceiling
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps


async def scopes_are_allowed(deps: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """Sets `scopes`. Leaves out `offline_access` if the client has no refresh tokens."""
    names = await scope_catalogue.select_allowed(
        deps, ctx, request.client, scope_catalogue.parse(request.parameters.get("scope"))
    )
    if request.client.source != "developer":
        names = scope_ceiling.within(await scope_ceiling.get(deps, ctx), names)
    if "refresh_token" not in request.client.grant_types:
        names = [name for name in names if name != "offline_access"]
    request.scopes = names
