"""OpenID Connect Core section 3.1.2.3: a session, chosen where that was asked for."""

from __future__ import annotations

from common.context import Context
from common.contracts.authorization import Authorization
from common.contracts.oauth_errors import AccountSelectionRequired, LoginRequired
from oidc import prompts
from oidc.deps import Deps
from oidc.request import AuthorizationRequest


async def user_is_signed_in(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization | None:
    if request.session is None:
        if request.silent:
            raise LoginRequired
        # Whatever max_age says: the sign-in that this brings about is new enough.
        return await prompts.sign_in(deps, ctx, request, afresh=True)
    return None


async def account_is_selected(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization | None:
    if "select_account" not in request.prompts or request.selected or request.prompted("signed_in"):
        return None
    if request.prompted("select_account") and _another_account(request):
        return None
    if request.silent:
        raise AccountSelectionRequired
    return await prompts.select_account(deps, ctx, request)


def _another_account(request: AuthorizationRequest) -> bool:
    """Since the page was shown, the person has signed in to another account."""
    assert request.pending is not None
    assert request.session is not None
    return request.pending.session_id != request.session.session_id
