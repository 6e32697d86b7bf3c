"""The grant of an assertion that an identity provider signed (RFC 7523 section 2.1, ID-JAG)."""

from __future__ import annotations

from common.context import Context
from common.contracts.tokens import Tokens
from oidc import grant_policy, oauth_switches, provider_grants
from oidc.deps import Deps
from oidc.token_request import TokenRequest


async def handle(deps: Deps, ctx: Context, request: TokenRequest) -> Tokens:
    """Exchanges an assertion for an access token of the user whom it is about."""
    await oauth_switches.check_jwt_bearer(deps, ctx)
    assertion = request.parameters.required("assertion")
    requested = request.parameters.values_of("resource")
    targets = await grant_policy.select_resources(deps, ctx, requested)
    return await provider_grants.redeem(deps, ctx, request, assertion, targets=targets)
