"""The user must be the one of `id_token_hint` or of a requested `sub` (OpenID Connect Core 3.1.2.2)."""

from __future__ import annotations

from common.context import Context
from common.contracts.authorization import Authorization
from common.contracts.oauth_errors import LoginRequired
from oidc import prompts
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps
from oidc.subjects import subject


async def user_is_the_hinted_one(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization | None:
    """Sends the user to sign in again if another user is hinted.

    Raises LoginRequired if they have done so already, and for `prompt=none`.
    """
    assert request.session is not None
    if request.hinted_sub is None:
        return None
    if subject(deps.keys, request.client, request.session.user_id) == request.hinted_sub:
        return None
    if request.silent or request.was_prompted("signed_in"):
        raise LoginRequired("another user is signed in than the requested one")
    return await prompts.sign_in(deps, ctx, request, reauthenticate=True)
