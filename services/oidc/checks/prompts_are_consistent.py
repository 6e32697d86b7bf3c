"""OpenID Connect Core section 3.1.2.1: `prompt`, `max_age` and `display`."""

from __future__ import annotations

from typing import Final

from common.context import Context
from common.contracts.oauth_errors import OAuthError
from oidc.deps import Deps
from oidc.request import AuthorizationRequest

PROMPTS: Final = frozenset({"none", "login", "consent", "select_account"})
LONGEST: Final = 10


async def prompts_are_consistent(_: Deps, ctx: Context, request: AuthorizationRequest) -> None:
    prompts = frozenset(request.given.get("prompt", "").split())
    if not prompts <= PROMPTS:
        raise OAuthError("prompt is not supported")
    if "none" in prompts and len(prompts) > 1:
        raise OAuthError("prompt=none cannot be combined")
    request.prompts = prompts
    given = request.given.get("max_age")
    if given is None:
        request.max_age = request.client.default_max_age
        return
    if not (given.isascii() and given.isdigit()) or len(given) > LONGEST:
        raise OAuthError("max_age is not a number of seconds")
    request.max_age = int(given)
