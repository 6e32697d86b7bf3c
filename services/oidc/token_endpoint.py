"""The token endpoint (RFC 6749 section 3.2)."""

from __future__ import annotations

from typing import Final

from common.context import Context
from common.contracts.oauth_errors import UnsupportedGrantType
from common.contracts.tokens import ExchangeToken, Tokens
from oidc import (
    client_auth,
    client_use,
    grant_policy,
    oauth_parameters,
    possession,
    security_profile,
)
from oidc.deps import Deps
from oidc.grants import GRANTS
from oidc.token_request import TokenRequest

PATH: Final = "/oauth2/token"


async def exchange(deps: Deps, ctx: Context, request: ExchangeToken) -> Tokens:
    """Authenticates the client and exchanges its grant for tokens."""
    parameters = oauth_parameters.without_repeats(request.params)
    grant_type = parameters.required("grant_type")
    grant = GRANTS.get(grant_type)
    if grant is None:
        raise UnsupportedGrantType
    client = await client_auth.authenticate(deps, ctx, parameters, request.basic)
    grant_policy.check_client(client, grant_type)
    cnf = await possession.prove(deps, ctx, client, request.dpop, method="POST", path=PATH)
    token_request = TokenRequest(client, parameters, cnf)
    security_profile.check_token_request(token_request)
    tokens = await grant(deps, ctx, token_request)
    await client_use.record(deps, ctx, client)
    return tokens
