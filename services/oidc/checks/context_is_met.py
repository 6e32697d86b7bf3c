"""OpenID Connect Core section 5.5.1.1, RFC 9470 section 5: who wants another class of sign-in than
the session's is given it where that is possible. The token tells the truth in any case.

A wish is tried once in a session: whoever has signed in otherwise then is not asked again, or a
client that always wishes would have him sign in each time. What is essential is asked for each time,
and ends in an error."""

from __future__ import annotations

from common import acr
from common.context import Context
from common.contracts.authorization import Authorization
from common.contracts.oauth_errors import UnmetAuthenticationRequirements
from oidc import acr_values, prompts
from oidc.deps import Deps
from oidc.queries import authorization_requests
from oidc.request import AuthorizationRequest


async def context_is_met(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization | None:
    assert request.session is not None
    held = request.session.acr or acr.ONE_FACTOR
    met = acr.satisfied(held, request.contexts)
    request.acr = met or held
    if met or not request.contexts:
        return None
    if request.prompted("signed_in"):
        request.unmet = request.contexts
    elif not request.silent and await _can_be_tried(deps, ctx, request):
        return await prompts.sign_in(deps, ctx, request, afresh=True)
    if request.context_essential:
        raise UnmetAuthenticationRequirements
    return None


async def _can_be_tried(deps: Deps, ctx: Context, request: AuthorizationRequest) -> bool:
    assert request.session is not None
    wanted = await acr_values.reachable(deps, ctx, request)
    if not wanted or request.context_essential:
        return bool(wanted)
    async with deps.db.reading(ctx) as db:
        tried = await authorization_requests.wished_in_vain(
            db, app_id=ctx.app_id, session_id=request.session.session_id
        )
    return not set(wanted) <= set(tried)
