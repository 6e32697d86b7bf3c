"""The parameters `prompt=login` and `max_age` (OpenID Connect Core section 3.1.2.1).

Once the user was sent to sign in again, only a sign-in after that moment counts.
"""

from __future__ import annotations

import time

from common.context import Context
from common.contracts.authorization import Authorization
from common.contracts.oauth_errors import LoginRequired
from oidc import prompts
from oidc.authorization_request import AuthorizationRequest
from oidc.deps import Deps


async def user_is_fresh(
    deps: Deps, ctx: Context, request: AuthorizationRequest
) -> Authorization | None:
    """Sends the user to sign in again if their sign-in is too old."""
    assert request.session is not None
    if _was_fresh_at_consent(request):
        return None
    since = request.pending.authenticated_after if request.pending else None
    if since is not None:
        fresh = request.session.auth_time >= since
    else:
        fresh = "login" not in request.prompts and not _too_old(request)
    if fresh:
        return None
    if request.silent:
        raise LoginRequired("the user has to sign in again")
    return await prompts.sign_in(deps, ctx, request, reauthenticate=since is None)


def _was_fresh_at_consent(request: AuthorizationRequest) -> bool:
    """Returns whether this session was shown the consent page, and so was new enough then.

    Reading the page takes time, which must not count against the user.
    """
    assert request.session is not None
    pending = request.pending
    same = pending is not None and pending.session_id == request.session.session_id
    return same and request.was_prompted("consent")


def _too_old(request: AuthorizationRequest) -> bool:
    assert request.session is not None
    if request.max_age is None:
        return False
    return (
        request.max_age == 0
        or request.session.auth_time.timestamp() + request.max_age < time.time()
    )
