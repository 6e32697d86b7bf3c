"""The class of sign-in (ACR) that the client requests (OpenID Connect Core section 5.5.1.1, RFC 9470).

If the session's class is not one of the requested ones, the user has to sign in again. A voluntary
request is tried once in a session: otherwise a client that always sends it would make the user sign
in each time. An essential request is tried each time, and fails with an error. The token always
names the class that the session really has.
"""

from __future__ import annotations

from common import acr
from common.context import Context
from common.contracts.authorization import Authorization
from common.contracts.oauth_errors import UnmetAuthenticationRequirements
from oidc import acr_values, prompts
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps
from oidc.queries import authorization_requests


async def context_is_met(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization | None:
    """Sets `acr` and `unmet_acr_values`. Sends the user to sign in again if that can help."""
    assert request.session is not None
    session_acr = request.session.acr or acr.ONE_FACTOR
    met = acr.satisfied(session_acr, request.acr_values)
    request.acr = met or session_acr
    if met or not request.acr_values:
        return None
    if request.was_prompted("signed_in"):
        request.unmet_acr_values = request.acr_values
    elif not request.silent and await _is_worth_a_try(deps, ctx, request):
        return await prompts.sign_in(deps, ctx, request, reauthenticate=True)
    if request.acr_essential:
        raise UnmetAuthenticationRequirements
    return None


async def _is_worth_a_try(deps: Deps, ctx: Context, request: AuthorizationRequest) -> bool:
    """Returns whether a new sign-in can reach a class that this session has not tried before."""
    assert request.session is not None
    names = await acr_values.reachable(deps, ctx, request)
    if not names or request.acr_essential:
        return bool(names)
    async with deps.db.reader(ctx) as db:
        unmet = await authorization_requests.unmet_acr_values(
            db, app_id=ctx.app_id, session_id=request.session.session_id
        )
    return not set(names) <= set(unmet)
