"""The token endpoint (RFC 6749 section 3.2)."""

from __future__ import annotations

from common.context import Context
from common.contracts.oauth_errors import UnauthorizedClient, UnsupportedGrantType
from common.contracts.tokens import ExchangeToken, Tokens
from oidc import client_auth, params
from oidc.deps import Deps
from oidc.grants import GRANTS


async def exchange(deps: Deps, ctx: Context, request: ExchangeToken) -> Tokens:
    given = params.single(request.params)
    name = given.required("grant_type")
    grant = GRANTS.get(name)
    if grant is None:
        raise UnsupportedGrantType
    client = await client_auth.authenticate(deps, ctx, given, request.basic)
    if name not in client.grant_types:
        raise UnauthorizedClient("this client may not use this grant type")
    return await grant(deps, ctx, client, given)
