"""The parameter `scope` (RFC 6749 section 3.3, OpenID Connect Core section 11)."""

from __future__ import annotations

from common.context import Context
from oidc import grant_policy
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps


async def scopes_are_allowed(deps: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """Sets `scopes`. Leaves out `offline_access` if the client has no refresh tokens."""
    names = await grant_policy.select_scopes(
        deps, ctx, request.client, request.parameters.get("scope")
    )
    if request.client.source != "developer" and await _is_kept(deps, ctx, request):
        names = list(dict.fromkeys([*names, "offline_access"]))
    request.scopes = names


async def _is_kept(deps: Deps, ctx: Context, request: AuthorizationRequest) -> bool:
    """Returns whether the client gets `offline_access` without having requested it: agents do not, and
    lose their access when the user signs out. The consent page asks for it."""
    client = request.client
    if "offline_access" not in client.scopes or "refresh_token" not in client.grant_types:
        return False
    return (await deps.tenants.get(ctx)).settings.agent_offline_access
