"""The parameter `scope` (RFC 6749 section 3.3, OpenID Connect Core section 11)."""

from __future__ import annotations

from common.context import Context
from oidc import grant_policy
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps


async def scopes_are_allowed(deps: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """Sets `scopes`. Leaves out `offline_access` if the client has no refresh tokens."""
    request.scopes = await grant_policy.select_scopes(
        deps, ctx, request.client, request.parameters.get("scope")
    )
