"""The client, or its security profile, may demand that its requests are pushed (RFC 9126 section 6) or signed
(RFC 9101 section 10.5)."""

from __future__ import annotations

from common.context import Context
from common.contracts.oauth_errors import OAuthError
from oidc import security_profile
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps


async def form_is_as_required(_: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """Raises OAuthError if the parameters came in the address, or unsigned, and must not."""
    client = request.client
    if client.require_pushed_authorization_requests and not request.is_pushed:
        raise OAuthError("this client must push its authorization requests")
    if client.require_signed_request_object and not request.signed:
        raise OAuthError("this client must sign its authorization requests")
    security_profile.check_authorization(request)
