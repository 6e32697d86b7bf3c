"""No parameter may be repeated (RFC 6749 section 3.1)."""

from __future__ import annotations

from common.context import Context
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps
from oidc.oauth_parameters import without_repeats


async def parameters_are_single(_: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """Raises OAuthError if a parameter is repeated."""
    without_repeats(request.params)
