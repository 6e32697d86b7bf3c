"""The parameter `response_mode` (OAuth 2.0 Multiple Response Types section 2.1, Form Post)."""

from __future__ import annotations

from typing import Final

from common.context import Context
from common.contracts.oauth_errors import OAuthError
from oidc import signed_responses
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps

MODES: Final = ("query", "fragment", "form_post")


async def response_mode_is_known(deps: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """Sets `response_mode`. Signed modes (JARM) are known if the application has them."""
    parameters = request.parameters
    mode = parameters.get("response_mode") or _default(parameters.get("response_type", ""))
    if mode not in MODES and not (
        mode in signed_responses.MODES
        and (await deps.tenants.get(ctx)).settings.signed_authorization_responses
    ):
        raise OAuthError("response_mode is not supported")
    request.response_mode = mode


def _default(response_type: str) -> str:
    """Returns the default mode of a response type (RFC 6749 section 4.2.2.1).

    For response types with a token it is the fragment. We refuse these types, and the client reads
    the error from the fragment.
    """
    return "fragment" if {"token", "id_token"} & set(response_type.split()) else "query"
