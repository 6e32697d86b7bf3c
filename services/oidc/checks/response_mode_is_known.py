"""OAuth 2.0 Multiple Response Types section 2.1, OAuth 2.0 Form Post Response Mode."""

from __future__ import annotations

from typing import Final

from common.context import Context
from common.contracts.oauth_errors import OAuthError
from oidc.deps import Deps
from oidc.request import AuthorizationRequest

MODES: Final = ("query", "fragment", "form_post")


async def response_mode_is_known(_: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    mode = request.given.get("response_mode") or _default(request.given.get("response_type", ""))
    if mode not in MODES:
        raise OAuthError("response_mode is not supported")
    request.response_mode = mode


def _default(response_type: str) -> str:
    """Answers to types with a token belong into the fragment (sections 3 and 5, RFC 6749 section
    4.2.2.1). We refuse these types, and the client must be able to read the refusal."""
    return "fragment" if {"token", "id_token"} & set(response_type.split()) else "query"
