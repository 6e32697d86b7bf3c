"""The parameters `prompt` and `max_age` (OpenID Connect Core section 3.1.2.1)."""

from __future__ import annotations

from typing import Final

from common.context import Context
from common.contracts.oauth_errors import OAuthError
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps

PROMPTS: Final = frozenset({"none", "login", "consent", "select_account"})
MAX_DIGITS: Final = 10
"""Of `max_age`."""


async def prompts_are_consistent(_: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    """Sets `prompts` and `max_age`."""
    prompts = frozenset(request.parameters.get("prompt", "").split())
    if not prompts <= PROMPTS:
        raise OAuthError("prompt is not supported")
    if "none" in prompts and len(prompts) > 1:
        raise OAuthError("prompt=none cannot be combined with other values")
    request.prompts = prompts
    max_age = request.parameters.get("max_age")
    if max_age is None:
        request.max_age = request.client.default_max_age
        return
    if not (max_age.isascii() and max_age.isdigit()) or len(max_age) > MAX_DIGITS:
        raise OAuthError("max_age is not a number of seconds")
    request.max_age = int(max_age)
