"""OpenID Connect Core section 3.1.2.2: whoever is meant by id_token_hint or by a wanted `sub`."""

from __future__ import annotations

from common.context import Context
from common.contracts.authorization import Authorization
from common.contracts.oauth_errors import LoginRequired
from oidc import prompts
from oidc.deps import Deps
from oidc.request import AuthorizationRequest
from oidc.subjects import subject


async def user_is_the_hinted_one(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization | None:
    assert request.session is not None
    if request.hinted_sub is None:
        return None
    if subject(deps.keys, request.client, request.session.user_id) == request.hinted_sub:
        return None
    if request.silent or request.prompted("signed_in"):
        raise LoginRequired("somebody else is signed in than was asked for")
    return await prompts.sign_in(deps, ctx, request, afresh=True)
