"""The parameter `response_type` (RFC 6749 section 3.1.1).

Only `code`: the implicit and hybrid flows are not supported (RFC 9700 section 2.1.2).
"""

from __future__ import annotations

from common.context import Context
from common.contracts.oauth_errors import UnsupportedResponseType
from oidc import grant_policy
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps


async def response_type_is_code(_: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """Raises UnsupportedResponseType, or UnauthorizedClient if the client lacks the grant."""
    if request.parameters.required("response_type") != "code":
        raise UnsupportedResponseType
    grant_policy.check_client(request.client, "authorization_code")
