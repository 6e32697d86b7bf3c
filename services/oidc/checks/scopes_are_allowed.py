"""RFC 6749 section 3.3, OpenID Connect Core section 11."""

from __future__ import annotations

from common.context import Context
from oidc import scopes
from oidc.deps import Deps
from oidc.request import AuthorizationRequest


async def scopes_are_allowed(deps: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """offline_access is dropped, not refused, where the client has no refresh tokens."""
    wanted = await scopes.allowed(
        deps, ctx, request.client, scopes.parsed(request.given.get("scope"))
    )
    if "refresh_token" not in request.client.grant_types:
        wanted = [name for name in wanted if name != "offline_access"]
    request.scopes = wanted
