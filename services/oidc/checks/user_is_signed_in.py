"""The user must be signed in, and with `prompt=select_account` choose the account.

OpenID Connect Core sections 3.1.2.1 and 3.1.2.3.
"""

from __future__ import annotations

from common.context import Context
from common.contracts.authorization import Authorization
from common.contracts.oauth_errors import AccountSelectionRequired, LoginRequired
from oidc import prompts
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps


async def user_is_signed_in(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization | None:
    """Sends the user to sign in if there is no session."""
    if request.session is None:
        if request.silent:
            raise LoginRequired
        # The sign-in is new enough then, whatever max_age says.
        return await prompts.sign_in(deps, ctx, request, reauthenticate=True)
    return None


async def account_is_selected(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization | None:
    """Sends the user to choose an account if the client asks for it."""
    if (
        "select_account" not in request.prompts
        or request.selected
        or request.was_prompted("signed_in")
    ):
        return None
    if request.was_prompted("select_account") and _has_changed_account(request):
        return None
    if request.silent:
        raise AccountSelectionRequired
    return await prompts.select_account(deps, ctx, request)


def _has_changed_account(request: AuthorizationRequest) -> bool:
    """Returns whether the user has signed in to another account since the page was shown."""
    assert request.pending is not None
    assert request.session is not None
    return request.pending.session_id != request.session.session_id
