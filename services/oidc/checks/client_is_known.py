"""RFC 6749 section 4.1.2.1: with an unknown client nothing may be redirected."""

from __future__ import annotations

from common.context import Context
from common.contracts.oauth_errors import OAuthError
from oidc.client_cache import registered
from oidc.deps import Deps
from oidc.request import AuthorizationRequest


async def client_is_known(deps: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    if len(request.given.listed("client_id")) > 1:
        raise OAuthError("client_id is given more than once")
    client = await registered(deps, ctx, request.given.required("client_id"))
    if client is None or not client.enabled:
        raise OAuthError("the client is unknown")
    request.client = client
