"""The class of sign-in (ACR) that the client requests (OpenID Connect Core section 5.5.1.1, RFC 9470).

If the session has none of the requested classes, the user is asked for what is missing: the second
factor alone, or another sign-in. A voluntary request is tried once in a session: otherwise a client that
always sends it would make the user sign in each time. An essential request is tried each time, and
fails with an error. The token always names a class that the session really has.
"""

from __future__ import annotations

from common import acr
from common.context import Context
from common.contracts.authorization import Authorization
from common.contracts.oauth_errors import LoginRequired, UnmetAuthenticationRequirements
from oidc import acr_values, prompts
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps
from oidc.queries import authorization_requests


async def context_is_met(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization | None:
    """Sets `acr` and `unmet_acr_values`. Sends the user to show what is missing if that can help."""
    assert request.session is not None
    met = acr.satisfied(acr_values.reached(request.session), request.acr_values)
    request.acr = met or request.session.acr or acr.ONE_FACTOR
    if met or not request.acr_values:
        return None
    names = await acr_values.reachable(deps, ctx, request)
    two_factors = names[:1] == [acr.TWO_FACTORS]
    if request.was_prompted("step_up" if two_factors else "signed_in"):
        request.unmet_acr_values = request.acr_values
    elif names and not request.silent and await _is_worth_a_try(deps, ctx, request, names):
        if two_factors:
            return await prompts.step_up(deps, ctx, request, reauthenticate=request.max_age == 0)
        return await prompts.sign_in(deps, ctx, request, reauthenticate=True)
    elif names and request.silent and request.acr_essential:
        raise LoginRequired("the user has to show another factor")
    if request.acr_essential:
        raise UnmetAuthenticationRequirements
    return None


async def _is_worth_a_try(
    deps: Deps, ctx: Context, request: AuthorizationRequest, names: list[str]
) -> bool:
    """Returns whether one of the classes is essential or was not tried in this session before."""
    assert request.session is not None
    if request.acr_essential:
        return True
    async with deps.db.reader(ctx) as db:
        unmet = await authorization_requests.unmet_acr_values(
            db, app_id=ctx.app_id, session_id=request.session.session_id
        )
    return not set(names) <= set(unmet)
