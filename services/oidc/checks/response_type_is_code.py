"""RFC 6749 section 3.1.1. No implicit and no hybrid flow (RFC 9700 section 2.1.2)."""

from __future__ import annotations

from common.context import Context
from common.contracts.oauth_errors import UnauthorizedClient, UnsupportedResponseType
from oidc.deps import Deps
from oidc.request import AuthorizationRequest


async def response_type_is_code(_: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    if request.given.required("response_type") != "code":
        raise UnsupportedResponseType
    if "authorization_code" not in request.client.grant_types:
        raise UnauthorizedClient("this client may not use the code flow")
